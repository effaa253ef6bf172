"""Waves are kept whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from qsim.cosim.lanes.interface import Window
from qsim.cosim.lanes.waves import keep_waves
from qsim.errors import UsageError


def test_a_run_without_waves_keeps_none(tmp_path: Path) -> None:
    keep_waves(tmp_path, Window(0, 9, tmp_path / "kept.vcd"))
    assert list(tmp_path.iterdir()) == []


def test_waves_are_kept(tmp_path: Path) -> None:
    (tmp_path / "waves.vcd").write_bytes(b"$end")
    keep_waves(tmp_path, Window(0, 9, tmp_path / "kept.vcd"))
    assert (tmp_path / "kept.vcd").read_bytes() == b"$end"


def test_a_disk_that_filled_up_meanwhile_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "waves.vcd").write_bytes(b"$en")
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=0))
    with pytest.raises(UsageError, match=r"waves\.vcd: cannot be written: no space left"):
        keep_waves(tmp_path, Window(0, 9, tmp_path / "kept.vcd"))
    assert not (tmp_path / "kept.vcd").exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "waves.vcd").write_bytes(b"$end")
    with pytest.raises(UsageError, match=r"gone/kept\.vcd: cannot be written"):
        keep_waves(tmp_path, Window(0, 9, tmp_path / "gone" / "kept.vcd"))

"""The page of the zoo: every network has its row, and ``--check`` compares it without writing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.qsim.zoo.networks import ZOO
from tools.zoo import page
from tools.zoo.__main__ import main


def test_every_network_has_its_row() -> None:
    rows = re.findall(r"^\| (\w+) \| ([\d×]+) \|", page.PAGE.read_text("utf-8"), re.MULTILINE)
    assert rows == [(name, "×".join(map(str, entry.shape))) for name, entry in ZOO.items()]


def test_a_page_is_checked_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "zoo.md"
    monkeypatch.setattr("tools.zoo.__main__.PAGE", written)
    monkeypatch.setattr(page, "ZOO", {"vae_decoder": ZOO["vae_decoder"]})
    assert main(["--check"]) == 1
    assert not written.exists()
    assert main([]) == 0
    assert "| vae_decoder | 8 | 1 | 100.00 % |  |" in written.read_text("utf-8")
    assert main(["--check"]) == 0
    written.write_text(written.read_text("utf-8").replace("100.00", "99.00"), "utf-8")
    capsys.readouterr()
    assert main(["--check"]) == 1
    assert "python -m tools.zoo" in capsys.readouterr().out
    assert "99.00" in written.read_text("utf-8")

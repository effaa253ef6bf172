"""What `make lowest` would install and run; nothing is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import lowest


@pytest.mark.parametrize("path", lowest.TESTS)
def test_what_it_runs_exists(path: str) -> None:
    assert (lowest.ROOT / path).exists()


def test_the_lowest_that_the_ranges_allow_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[list[str], list[str]]] = []

    def resolve(requirements: list[str], options: list[str]) -> str:
        asked.append((requirements, options))
        return "numpy==2.0.0\n    # via qsim\n"

    monkeypatch.setattr(lowest, "uv_resolve", resolve)
    assert lowest.resolve() == {"numpy": "2.0.0"}
    [(requirements, options)] = asked
    assert options[:2] == ["--resolution", "lowest-direct"]
    assert {"numpy>=2.0", "torch==2.13.0", "setuptools>=77"} <= set(requirements)
    assert not [word for word in requirements if word.startswith(lowest.LEFT_OUT)]


def test_torch_is_installed_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(lowest, "FOLDER", tmp_path / "lowest")
    monkeypatch.setattr(lowest, "_run", lambda *words: ran.append([str(word) for word in words]))
    lowest.install(
        {"numpy": "2.0.0", "nvidia-nvtx": "1", "setuptools": "77.0.3", "torch": "2.13.0"}
    )
    _venv, build, pins, torch, project = ran
    assert build[-1] == "setuptools==77.0.3"
    assert pins[-2:] == ["numpy==2.0.0", "setuptools==77.0.3"]
    assert torch[-1] == "torch==2.13.0"
    assert "--no-deps" not in torch
    assert project[-2:] == ["--editable", str(lowest.ROOT)]

"""Fixtures that several folders of tests use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["tests.memory", "tests.seconds"]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread in torch: threads that wait for a busy core cost seconds here, and win nothing."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def no_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own, in which Verilator reads and warns, but nothing is made to run."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "qsim.cosim.simulators.runtime.make", lambda _recipe, folder: (folder / "sim").touch()
    )

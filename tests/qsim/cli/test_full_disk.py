"""A disk that is full: status 2 with the path, and nothing half-written."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qsim import atomic
from qsim.cli import main
from qsim.cli.failure import describe
from qsim.errors import UsageError
from tests.qsim.cli.models import FACTORY


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("full")
    (path / "net.py").write_text(FACTORY)
    assert main(["compile", f"{path}/net.py:make", "-o", f"{path}/net.qsim"]) == 0
    assert main(["golden", "record", f"{path}/net.py:make", "-o", f"{path}/set"]) == 0
    # Kernels are compiled, and kept, before there is no room for them.
    assert main(["run", f"{path}/net.py:make", "--trace", f"{path}/t"]) == 0
    return path


@contextmanager
def room(size: int) -> Iterator[None]:
    """Let no file grow beyond a size: as a full disk does, the system refuses to write more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def sizes(folder: Path) -> dict[Path, int]:
    found = (path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    return {path: path.stat().st_size for path in found}


WRITERS = [
    ["run", "net.qsim", "--trace", "out"],
    ["run", "net.qsim", "--report", "out.html"],
    ["compile", "net.py:make", "-o", "out.qsim"],
    ["compile", "net.py:make", "-o", "out.pt2"],
    ["golden", "record", "net.qsim", "-o", "out"],
    ["golden", "record", "add", "-o", "out"],
    ["golden", "record", "add", "-o", "set", "--force"],
    ["golden", "export", "set", "-o", "out"],
    ["inspect", "net.qsim", "--memory", "out.png"],
]


@pytest.mark.parametrize("size", [200, pytest.param(0, marks=pytest.mark.soak)])
@pytest.mark.parametrize("command", WRITERS, ids=" ".join)
def test_commands(
    made: Path,
    tmp_path: Path,
    command: list[str],
    size: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("net.py", "net.qsim"):
        os.link(made / name, tmp_path / name)
    (tmp_path / "set").mkdir()
    for path in (made / "set").iterdir():
        os.link(path, tmp_path / "set" / path.name)
    before = sizes(tmp_path)
    path = "set" if "--force" in command else next(w for w in command if w.startswith("out"))
    capsys.readouterr()
    with room(size):
        status = main(command)
    _, error = capsys.readouterr()
    assert status == 2
    assert error.startswith(f"qsim: {path}: cannot be written: file too large")
    assert error.count("\n") == 1
    assert sizes(tmp_path) == before


def test_a_full_disk_that_nobody_expected_is_no_defect() -> None:
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        failure = describe(OSError(number, os.strerror(number), "/there/x"))
        assert (failure.status, failure.kind, failure.where) == (2, "usage", "/there/x")
        assert failure.line == f"/there/x: cannot be written: {os.strerror(number).lower()}"
    assert describe(OSError(errno.ENOSPC, "No space left on device")).status == 2
    assert describe(OSError(errno.EACCES, "Permission denied")).status == 4


def test_a_copy_is_whole_or_absent(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1000)
    with room(500), pytest.raises(UsageError, match="b: cannot be written: file too large"):
        atomic.copy(tmp_path / "a", tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    atomic.copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"x" * 1000

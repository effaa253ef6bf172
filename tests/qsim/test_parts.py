"""Parts: what a killed process left is removed, what another process writes is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qsim import atomic, parts
from qsim.errors import UsageError
from tests.tree import ROOT

# For each line that it reads: a child that writes one thing after the other until it is killed.
WRITER = """
import os
import sys
from pathlib import Path
from qsim import atomic

folder, size = Path(sys.argv[1]), int(sys.argv[2])
for _ in sys.stdin:
    child = os.fork()
    if not child:
        break
    os.waitpid(child, 0)
    print("ended", flush=True)
else:
    sys.exit()
for turn in range(1000000):
    data = bytes([turn % 256]) * size
    atomic.write_bytes(folder / "file", data)
    with atomic.scratch("work", folder) as work:
        (work / "x").write_bytes(data)
    whole = folder / "whole"
    with (atomic.replacement(whole) if whole.exists() else atomic.directory(whole)) as made:
        (made / "one").write_bytes(data)
        (made / "two").write_bytes(data)
    if turn == 0:
        print(os.getpid(), flush=True)
"""
SIZE = 100_000


def killed_after(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Let a child write once, and then for so long, and kill it."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n")
    process.stdin.flush()
    child = int(process.stdout.readline())
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    assert process.stdout.readline() == b"ended\n"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("rounds", [12, pytest.param(200, marks=pytest.mark.soak)])
def test_a_kill_leaves_what_is_whole_and_the_next_one_tidies_up(
    tmp_path: Path, rounds: int
) -> None:
    left = 0
    line = [sys.executable, "-c", WRITER, str(tmp_path), str(SIZE)]
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    for turn in range(rounds):
        killed_after(process, 0.002 * (turn % 12))
        for group in (["file"], ["whole/one", "whole/two"]):
            found = [tmp_path / name for name in group if (tmp_path / name).exists()]
            assert len(found) in (0, len(group))
            held = {path.read_bytes() for path in found}
            assert all(data == data[:1] * SIZE for data in held)
            assert len(held) <= 1
        left += sum(name.endswith(parts.SUFFIX) for name in names(tmp_path))
        with atomic.scratch("next", tmp_path):
            assert len(names(tmp_path)) <= 3
    process.communicate()
    assert set(names(tmp_path)) <= {"file", "whole"}
    # A busy machine may not have let the few get as far.
    assert left or rounds < 100


HALF = """
import sys, time
from pathlib import Path
from qsim import atomic, parts

folder = Path(sys.argv[1])
with parts.part(folder, "file") as made, atomic.directory(folder / "whole") as whole:
    (whole / "one").write_bytes(b"half")
    print("half", flush=True)
    time.sleep(600)
"""


def test_what_is_half_written_stays_while_its_process_lives(tmp_path: Path) -> None:
    line = [sys.executable, "-c", HALF, str(tmp_path)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        before = names(tmp_path)
        assert len(before) == 2
        assert all(name.endswith(parts.SUFFIX) for name in before)
        atomic.write_bytes(tmp_path / "other", b"")
        assert names(tmp_path) == sorted([*before, "other"])
        process.kill()
    assert names(tmp_path) == sorted([*before, "other"])
    atomic.write_bytes(tmp_path / "other", b"")
    assert names(tmp_path) == ["other"]


def test_what_another_process_writes_stays(tmp_path: Path) -> None:
    with parts.part(tmp_path, "a") as one, parts.part(tmp_path, "b", is_folder=True) as other:
        place = f"Path({str(tmp_path)!r})"
        code = f"from pathlib import Path; from qsim import parts; parts.sweep({place})"
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
        parts.sweep(tmp_path)  # nor does another thread of this one
        assert one.path.exists()
        assert other.path.exists()
    assert names(tmp_path) == []


def test_nothing_else_is_swept(tmp_path: Path) -> None:
    digits = "0123456789abcdef"
    (tmp_path / f".mine.{digits}").touch()
    (tmp_path / "mine.qsim-part").touch()
    (tmp_path / f".mine.{digits}x.qsim-part").touch()
    (tmp_path / f".link.{digits}.qsim-part").symlink_to("mine.qsim-part")
    os.mkfifo(tmp_path / f".pipe.{digits}.qsim-part")
    before = names(tmp_path)
    (tmp_path / f".left.{digits}.qsim-part").touch()
    folder = tmp_path / f".folder.{digits}.qsim-part"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)
    parts.sweep(tmp_path)
    assert names(tmp_path) == before


def test_what_belongs_to_another_user_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / ".left.0123456789abcdef.qsim-part"
    left.touch()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    parts.sweep(tmp_path)
    assert left.exists()


def test_where_there_are_no_locks_age_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(parts.fcntl, "flock", refuse)
    with parts.part(tmp_path, "a") as made:
        parts.sweep(tmp_path)
        assert made.path.exists()
    old = tmp_path / ".left.0123456789abcdef.qsim-part"
    old.touch()
    os.utime(old, (0, 0))
    parts.sweep(tmp_path)
    assert names(tmp_path) == []


def test_a_part_that_was_swept_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, swept = parts.fcntl.flock, []

    def late(handle: int, how: int) -> None:
        if not swept:
            swept.extend(tmp_path.iterdir())
            swept[0].unlink()
        lock(handle, how)

    monkeypatch.setattr(parts.fcntl, "flock", late)
    with parts.part(tmp_path, "a") as made:
        assert made.path.exists()
        assert made.path != swept[0]


def filled(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "x").write_text(text)
    return path


@pytest.mark.parametrize("can", [True, False])
def test_a_folder_is_replaced_in_one_step_or_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, can: bool
) -> None:
    if not can:
        monkeypatch.setattr(atomic, "_exchange", lambda *_: False)
    whole = filled(tmp_path / "whole", "old")
    with atomic.replacement(whole) as made:
        (made / "x").write_text("new")
        assert (whole / "x").read_text() == "old"
    assert (whole / "x").read_text() == "new"
    assert names(tmp_path) == ["whole"]


def test_a_replacement_that_was_killed_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = filled(tmp_path / "whole", "old")
    monkeypatch.setattr(atomic, "_exchange", lambda *_: False)
    rename = Path.rename

    def killed(path: Path, target: Path) -> Path:
        if path != whole:
            raise SystemExit
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(SystemExit), atomic.replacement(whole):
        pass  # neither the new one nor, afterwards, the old one could be renamed
    monkeypatch.undo()
    assert names(tmp_path) == [".whole.qsim-old"]
    atomic.put_back(whole)
    assert (whole / "x").read_text() == "old"
    filled(tmp_path / ".whole.qsim-old", "older")
    atomic.put_back(whole)
    assert (whole / "x").read_text() == "old"
    assert names(tmp_path) == ["whole"]


@pytest.mark.parametrize("name", ["/dev/null", "pipe", "link"])
def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "pipe":
        os.mkfifo(path)
    elif name == "link":
        path.symlink_to("/dev/null")
    with pytest.raises(UsageError, match="is no regular file"):
        atomic.write_bytes(path, b"")
    assert not path.is_file()

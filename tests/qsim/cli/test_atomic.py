"""Files and directories appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from qsim.atomic import directory, write_bytes
from qsim.errors import UsageError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    write_bytes(file, b"one")
    write_bytes(file, b"two")
    assert file.read_bytes() == b"two"
    assert names(tmp_path) == ["a.bin"]
    other = tmp_path / "plain"
    other.write_bytes(b"")
    assert file.stat().st_mode == other.stat().st_mode


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.bin"
    write_bytes(file, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(UsageError, match="no space left on device"):
        write_bytes(file, b"new")
    assert file.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(tmp_path / "a.bin", b"new")
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["gone/a.bin", "."])
def test_refusals_name_the_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_bytes(tmp_path / name, b"")


def test_directory_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "d"
    with directory(path) as inside:
        (inside / "x").write_text("1")
        assert not path.exists()
    assert (path / "x").read_text() == "1"
    assert names(tmp_path) == ["d"]
    plain = tmp_path / "plain"
    plain.mkdir()
    assert path.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_directory_vanishes_on_an_error(tmp_path: Path, error: type[BaseException]) -> None:
    def fill() -> None:
        with directory(tmp_path / "d") as inside:
            (inside / "x").write_text("1")
            raise error

    with pytest.raises(error):
        fill()
    assert names(tmp_path) == []


def test_directory_takes_an_empty_one_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "d"
    path.mkdir()
    with directory(path) as inside:
        (inside / "x").write_text("1")
    assert (path / "x").exists()
    for taken in (path, path / "x", tmp_path / "link"):
        if taken.name == "link":
            taken.symlink_to(tmp_path / "nowhere")
        with pytest.raises(UsageError, match="not empty"), directory(taken):
            pass
    assert (path / "x").read_text() == "1"

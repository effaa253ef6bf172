"""Files that people name: one reader, whatever the name leads to."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qsim import Target, files, load
from qsim.cli import main
from qsim.cli.npy import read_npy
from qsim.cosim.dut.file import load as load_dut
from qsim.errors import FileFormatError, QsimError
from qsim.executorch.pte.container import read_bytes
from qsim.golden.files import read_file
from qsim.quantizer.archive import read_members
from qsim.quantizer.config import QuantizeConfig

READERS: dict[str, Callable[[Path], Any]] = {
    "qsim": load,
    "pt2": lambda path: read_members(path, str(path)),
    "npy": read_npy,
    "config": QuantizeConfig.load,
    "toml": Target.load,
    "dut": load_dut,
    "pte": lambda path: read_bytes(path, "a .pte file"),
    "golden": lambda path: read_file(path, 1 << 20),
}


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def plug(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def itself(path: Path) -> None:
    path.symlink_to(path.name)


def locked(path: Path) -> None:
    path.symlink_to("/proc/self/mem")


KINDS = {
    pipe: "it is a pipe, not a regular file",
    folder: "it is a directory, not a regular file",
    plug: "it is a socket, not a regular file",
    zeros: "it is a device, not a regular file",
    nothing: "no such file or directory",
    itself: "too many levels of symbolic links",
    locked: "cannot be read: input/output error",
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_what_is_no_file_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], reader: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(f"x.{reader}.toml" if reader in ("toml", "dut") else f"x.{reader}")
    make(path)
    with pytest.raises(QsimError) as caught:
        READERS[reader](path)
    text = str(caught.value)
    # A golden set follows no link.
    wanted = "it is a link" if reader == "golden" and path.is_symlink() else KINDS[make]
    assert wanted in text
    assert text.startswith(str(path))
    assert "\n" not in text


@pytest.mark.parametrize("reader", READERS)
def test_names_that_no_file_has(reader: str) -> None:
    for name in ("gone/x.toml", "a\0b.toml", "x" * 5000 + ".toml"):
        with pytest.raises(QsimError) as caught:
            READERS[reader](Path(name))
        assert "\n" not in str(caught.value)


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").symlink_to("a")
    assert files.read(tmp_path / "b") == b"abc"
    with pytest.raises(FileFormatError, match="it is a link, not a regular file"):
        files.read(tmp_path / "b", links=False)


def test_no_more_is_read_than_agreed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert files.read(path, 3) == b"abc"
    with pytest.raises(FileFormatError, match=r"it is 3 bytes long \(accepted: at most 2 bytes\)"):
        files.read(path, 2)
    # The system does not say how long it is.
    with pytest.raises(FileFormatError, match="it is longer than 10 bytes"):
        files.read("/proc/self/status", 10)


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_has_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    path = tmp_path / "x.toml"
    with path.open("wb") as file:
        file.truncate(files.MOST_BYTES + 1)  # a hole, which takes no room
    with pytest.raises(QsimError, match=r"it is 17,179,869,185 bytes long .*at most"):
        READERS[reader](path)


def test_commands_do_not_wait_for_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("x.qsim", "x.pt2", "x.pte", "x.bpte", "x.toml", "x.npy"):
        os.mkfifo(name)
    np.save("y.npy", np.zeros(1))
    lines = [["run", name] for name in ("x.qsim", "x.pt2", "x.pte", "x.bpte")]
    lines += [["inspect", name] for name in ("x.qsim", "x.pt2", "x.pte")]
    lines += [
        ["run", "digits", "--target", "x.toml"],
        ["run", "digits", "--inputs", "x.npy"],
        ["run", "digits", "--inputs", "y.npy", "--labels", "x.npy"],
        ["targets", "x.toml"],
        ["golden", "import", "x.bpte", "-o", "set"],
        ["golden", "check", "x.qsim"],
        ["cosim", "requantize", "--dut", "x.toml"],
    ]
    for line in lines:
        assert main(line) == 2, line
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "x." in error


def test_an_array_is_read_as_it_was_written(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    np.save(tmp_path / "a.npy", array)
    assert np.array_equal(read_npy(tmp_path / "a.npy"), array)

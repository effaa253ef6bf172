"""stdout closed, full or without a reader: never status 1, which means a difference."""

from __future__ import annotations

import ctypes
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qsim.cli import main
from qsim.cli.output import Output, quiet
from tests.qsim.cli.models import FACTORY
from tests.tree import ROOT, SCALER

HELP = [
    *([], ["run"], ["compile"], ["inspect"], ["cosim"], ["prove"], ["targets"], ["models"]),
    *(["doctor"], ["golden"], ["golden", "record"], ["golden", "check"], ["golden", "export"]),
    *(["golden", "import"], ["golden", "fields"]),
]
# What ends quickly, in a folder with net.py, net.qsim and the golden set `set`.
COMMANDS = [
    ["targets"],
    ["targets", "q7"],
    ["targets", "q7", "tflite"],
    ["models"],
    ["doctor"],
    ["run", "net.qsim"],
    ["run", "net.py:make"],
    ["compile", "net.py:make", "-o", "new.qsim"],
    ["inspect", "net.qsim"],
    ["inspect", "net.qsim", "--memory", "map.png"],
    ["golden", "record", "add", "-o", "new", "--count", "10"],
    ["golden", "check", "set"],
    ["golden", "check", "wrong"],
    ["golden", "export", "set", "-o", "hex"],
    ["cosim", "add", "--simulator", "icarus", "--vectors", "100"],
    ["cosim", "--init", f"{SCALER}/scaler.v", "-o", "draft.toml"],
    ["golden", "fields", "softmax"],
    ["run", "gone.qsim"],
]
FULL = "stdout: cannot be written: no space left on device"
LEFT = "the reader of stdout went away"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streams")
    (path / "net.py").write_text(FACTORY)
    assert main(["compile", f"{path}/net.py:make", "-o", f"{path}/net.qsim"]) == 0
    for name in ("set", "wrong"):
        line = ["golden", "record", "add", "-o", f"{path}/{name}", "--count", "10"]
        assert main(line) == 0
    return path


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path in made.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def stdout(kind: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if kind == "full":
        stream = Path("/dev/full").open("w")  # noqa: SIM115
    else:
        reader, writer = os.pipe()
        os.close(reader)
        stream = os.fdopen(writer, "w")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        yield
    stream.close()  # writes what is left, which must not fail again


@pytest.mark.parametrize("command", HELP, ids=" ".join)
def test_help(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with stdout("full", monkeypatch):
        assert main([*command, "--help"]) == 2
    assert capsys.readouterr().err.startswith(f"qsim: {FULL}")
    with stdout("pipe", monkeypatch):
        assert main([*command, "--help"]) == 141
    assert capsys.readouterr().err == f"qsim: {LEFT}\n"


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands(
    folder: Path,
    command: list[str],
    form: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kind = "full" if form == "json" else "pipe"
    error = command[-1] == "gone.qsim"
    line = [*command, "--json"] if form == "json" else command
    with stdout(kind, monkeypatch):
        status = main(line)
    said = capsys.readouterr().err
    assert status == (2 if kind == "full" or error else 141)
    assert said.count("\n") == 1
    assert said.startswith("qsim: ")
    assert (FULL if kind == "full" else "gone.qsim" if error else LEFT) in said


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_closed_stdout_is_refused_before_the_work(
    tmp_path: Path,
    as_json: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in [*COMMANDS, ["--help"], ["--version"]]:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", None)
            assert main([*command, *as_json]) == 2, command
        wanted = "qsim: stdout: is closed (accepted: an open stdout, or /dev/null)\n"
        assert capsys.readouterr().err == wanted
    assert list(tmp_path.iterdir()) == []


def test_a_stderr_that_takes_nothing_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w") as full:
        for stream in (full, None):
            with monkeypatch.context() as patch:
                patch.setattr(sys, "stderr", stream)
                assert main(["run", "gone.qsim"]) == 2
                assert main(["targets", "q7", "tflite"]) == 1
    assert "tflite" in capsys.readouterr().out


def test_what_a_model_prints_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may still be in the buffer when the command is over."""
    monkeypatch.setattr(sys.modules["qsim.cli.app"], "app", lambda *_, **__: print("x"))
    with stdout("full", monkeypatch):
        assert main([]) == 2
    assert capsys.readouterr().err.startswith(f"qsim: {FULL}")


def test_what_c_code_and_children_print_is_not_in_the_json(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """As a golden function does that asks a program in C."""
    output = Output(as_json=True)
    with quiet(output):
        ctypes.CDLL(None).printf(b"from C, which keeps it in a buffer of its own\n")
        subprocess.run(["/bin/echo", "from a child"], check=True)
        print("from Python")
    output.json({"ok": True})
    captured = capfd.readouterr()
    assert json.loads(captured.out) == {"ok": True}
    assert all(f"from {who}" in captured.err for who in ("C", "a child", "Python"))


def test_an_output_that_is_no_file_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["--version"]) == 0
    assert stream.getvalue().startswith("qsim ")


@pytest.mark.parametrize(
    ("redirection", "status", "said"),
    [
        (">/dev/full", 2, f"qsim: {FULL} (accepted: a stdout that takes the whole output)\n"),
        (">&-", 2, "qsim: stdout: is closed (accepted: an open stdout, or /dev/null)\n"),
        (">&- <&-", 2, "qsim: stdout: is closed (accepted: an open stdout, or /dev/null)\n"),
        (">&- 2>&-", 2, ""),
        ("2>/dev/full >/dev/full", 2, ""),
    ],
)
def test_a_process_says_one_line_to_its_very_end(redirection: str, status: int, said: str) -> None:
    """No traceback, no "Exception ignored" when Python flushes at exit."""
    line = f'"$0" -m qsim --help {redirection}'
    done = subprocess.run(
        ["/bin/sh", "-c", line, sys.executable],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, said)

"""What the light commands print, what they load, and what `--help` teaches."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

import qsim
from qsim.cli import main
from tests import fresh

COMMANDS = ("run", "compile", "inspect", "targets", "models", "doctor")
PROBE = """
import contextlib, io, sys
from qsim.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    status = main(sys.argv[1:])
print(status, *(name for name in ("torch", "numba", "hw_models") if name in sys.modules))
"""
FIRST_LINE = """
import sys
from qsim.cli import main

class Stop(BaseException):
    pass

class Stdout:
    encoding = "utf-8"
    def isatty(self):
        return False
    def write(self, text):
        sys.stderr.write(f"{'torch' in sys.modules} {'numba' in sys.modules} {text}")
        raise Stop

sys.stdout = Stdout()
try:
    main(["run", "digits"])
except Stop:
    sys.stdout = sys.__stdout__
"""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["run", "--help"], ["targets"], ["targets", "q7"], ["models"]],
    ids=str,
)
def test_light_commands_load_neither_torch_nor_numba(arguments: list[str]) -> None:
    assert fresh.run(PROBE, *arguments).stdout.split() == ["0"]


def test_import_qsim_is_light() -> None:
    assert fresh.loaded("import qsim", "torch", "numba", "numpy") == []


def test_first_line_of_run_comes_before_torch() -> None:
    err = fresh.run(FIRST_LINE).stderr
    assert err.startswith("False False digits on tflite sha256:")


def test_facade_names_are_what_their_modules_define() -> None:
    for name in qsim.__all__:
        assert getattr(qsim, name) is not None
        assert name in dir(qsim)
    assert qsim.quantize.__name__ == "quantize"
    assert qsim.Target.load("q7").name == "q7"
    with pytest.raises(AttributeError, match="no_such"):
        _ = qsim.no_such


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((fresh.ROOT / "pyproject.toml").read_text())["project"]
    assert qsim.__version__ == project["version"]
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"qsim {project['version']}\n"


def test_help_names_the_commands_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)
    assert not any(name in out for name in ("golden", "cosim", "diagnose", "prove"))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_has_worked_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert "Examples:" in out
    assert f"qsim {command}" in out.split("Examples:")[1]


def test_targets_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    assert main(["targets", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["targets"]
    assert [item["name"] for item in found] == list(qsim.Target.names())
    for item in found:
        assert list(item) == ["name", "hash", "reproduces"]
        assert item["hash"] == qsim.Target.load(item["name"]).hash
        assert item["hash"][:23] in out


def test_target_shows_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets", "narrow20"]) == 0
    out = capsys.readouterr().out
    document = qsim.Target.load("narrow20").to_dict()
    for section, fields in document.items():
        if isinstance(fields, dict):
            assert section in out
            assert all(field in out for field in fields)
    assert main(["targets", "narrow20", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["target"]["requantize"] == document["requantize"]


def test_models_lists_the_builtins(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["models"]
    assert [item["name"] for item in found] == ["digits", "resnet8", "mobilenet_v1"]
    assert all(item["parameters"] > 0 and item["description"] for item in found)
    assert main(["models"]) == 0
    assert "mobilenet_v1" in capsys.readouterr().out


def test_doctor_finds_this_machine_ready(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True
    checks = {check["name"]: check for check in found["checks"]}
    assert all(list(check) == ["name", "status", "found", "note"] for check in found["checks"])
    assert checks["torch"]["found"].startswith("2.13.0")
    assert "AVX512" in checks["processor"]["note"]
    assert main(["doctor"]) == 0
    assert "qsim is ready." in capsys.readouterr().out


def test_doctor_tells_broken_and_wrong_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    from qsim import doctor

    def broken(_name: str) -> None:
        raise OSError("libtorch.so: cannot open\nshared object")

    check = doctor._package("torch", "torch", "how", needed=True)
    assert check.status == "ok"
    monkeypatch.setattr(doctor, "_PINNED", {"torch": "9.9.9"})
    check = doctor._package("torch", "torch", "how", needed=True)
    assert (check.status, check.note) == ("missing", "qsim is made for 9.9.9: how")
    monkeypatch.setattr(doctor, "import_module", broken)
    check = doctor._package("torch", "torch", "how", needed=False)
    assert (check.status, check.found) == ("optional", "broken")
    assert check.note == "OSError: libtorch.so: cannot open shared object; how"


def test_doctor_says_when_kernels_cannot_be_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from qsim import doctor

    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(blocked / "cache"))
    check = doctor._cache()
    assert check.status == "optional"
    assert "NUMBA_CACHE_DIR" in check.note
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "new" / "cache"))
    assert doctor._cache().status == "ok"

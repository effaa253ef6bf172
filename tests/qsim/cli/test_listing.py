"""What the light commands print, what they load, and what `--help` teaches."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

import qsim
from qsim import models
from qsim.cli import main
from qsim.errors import UsageError
from tests import fresh

COMMANDS = ("run", "compile", "inspect", "targets", "models", "doctor")
PROBE = """
import contextlib, io, sys
from qsim.cli import main
from qsim.errors import UsageError
with contextlib.redirect_stdout(io.StringIO()):
    status = main(sys.argv[1:])
print(status, *(name for name in ("torch", "numba", "hw_models") if name in sys.modules))
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


@pytest.mark.parametrize("module", ["qsim.cli.cosim.app", "qsim.cosim.runner"])
def test_import_of_cosimulation_is_light(module: str) -> None:
    assert fresh.loaded(f"import {module}", "torch", "numba", "hw_models") == []


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
    assert all(name in out for name in ("golden", "cosim", "prove"))
    assert "diagnose" not in out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_has_worked_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert "Examples:" in out
    assert f"qsim {command}" in out.split("Examples:")[1]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_at_80_columns(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Flags take no value, optional arguments have one pair of brackets, examples one line."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*command.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert "<bool>" not in out
    assert "[[" not in out
    examples = out.partition("Examples:")[2].split("\n")[1:]
    assert all(line.strip() == "" or line.startswith(" qsim ") for line in examples)
    assert any(line.strip() for line in examples) == bool(command)


def test_bare_qsim_prints_help_and_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    bare = capsys.readouterr()
    assert bare.err == ""
    assert main(["--help"]) == 0
    assert bare.out.split() == capsys.readouterr().out.split()


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


def test_targets_of_two_shows_where_they_differ(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets", "tflite", "tflite-single"]) == 1
    out = capsys.readouterr().out
    assert [word for word in out.split() if word.strip("─")] == [
        *("section", "field", "tflite", "tflite-single"),
        *("requantize", "rounding", "double", "single"),
        *("tflite", "and", "tflite-single", "differ", "in", "1", "field."),
    ]
    assert main(["targets", "tflite", "tflite"]) == 0
    assert "same datapath: sha256:950d" in capsys.readouterr().out
    assert main(["targets", "tflite", "nope"]) == 2
    assert "no target 'nope'" in capsys.readouterr().err
    for name in qsim.Target.names():
        assert main(["targets", "tosa", name]) == (name != "tosa")
        assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


def test_target_says_what_it_was_compared_with(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets", "pytorch"]) == 0
    assert "Compared with: torch 2." in capsys.readouterr().out
    assert main(["targets", "pytorch", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["target"]
    assert found["checked"] == qsim.Target.load("pytorch").checked


def test_targets_of_two_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets", "tflite", "litert-reference", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["a"] == {"name": "tflite", "hash": qsim.Target.load("tflite").hash}
    assert found["b"]["name"] == "litert-reference"
    fields = {(d["section"], d["field"]): (d["a"], d["b"]) for d in found["differences"]}
    assert fields["requantize_linear", "rounding"] == (None, "half_away")
    assert fields["quantize", "formula"] == ("torch", "tflite")
    assert ("requantize", "rounding") not in fields
    assert main(["targets", "q7", "q7", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["differences"] == []


def test_models_lists_the_builtins(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["models"]
    assert [item["name"] for item in found] == [known.name for known in models.builtin()]
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


def test_doctor_keeps_brackets_and_names_what_can_be_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from qsim import doctor

    lacking = [(name, "nowhere_at_all", how) for name, _, how in doctor._OPTIONAL]
    checks = [doctor._package(*item, needed=False) for item in lacking]
    checks.append(doctor.Check("odd", "ok", "[bold]1", "[2]"))
    monkeypatch.setattr(doctor, "examine", lambda: checks)
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert out.count("pip install -e '.[peers]'") == 2
    assert "pip install -e '.[models]'" in out
    assert "[bold]1" in out
    assert "[2]" in out
    extras = tomllib.loads((fresh.ROOT / "pyproject.toml").read_text())["project"]
    assert {"models", "peers"} <= set(extras["optional-dependencies"])
    # No index has a package of this name that is this program.
    for _, _, how in (*doctor._NEEDED, *doctor._OPTIONAL):
        assert "install qsim" not in how
        assert "'qsim" not in how


def test_doctor_says_nothing_of_other_packages_on_stderr() -> None:
    done = fresh.run("from qsim.cli import main; main(['doctor'])")
    assert done.stderr == ""
    assert "torchao" in done.stdout


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
    assert not (tmp_path / "new").exists()
    open_to_all = tmp_path / "open" / "qsim-kernels"
    open_to_all.mkdir(parents=True)
    open_to_all.chmod(0o777)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "open"))
    check = doctor._cache()
    assert (check.status, check.found) == ("optional", str(open_to_all))
    assert "others can write in it" in check.note
    with pytest.raises(UsageError, match="not deleted: others can write in it"):
        doctor.clear_kernels()


def test_doctor_counts_and_clears_the_kernels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from qsim import doctor

    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = tmp_path / "qsim" / "kernels"
    for key in ("0" * 32, "1" * 32):
        folder = place / f"hw_models.mean-{key}"
        folder.mkdir(parents=True)
        (folder / "f.1.nbc").write_bytes(b"x" * 600)
    place.chmod(0o700)
    check = doctor._cache()
    assert (check.status, check.found) == ("ok", str(place))
    assert check.note.startswith("2 compiled, 1.20kB")
    monkeypatch.setattr(doctor, "examine", lambda: [check])
    assert main(["doctor", "--json"]) == 0
    held = {"folder": str(place), "kernels": 2, "bytes": 1200}
    assert json.loads(capsys.readouterr().out)["kernel_cache"] == held
    assert main(["doctor", "--clear-kernels", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"deleted": held}
    assert list(place.iterdir()) == []
    assert main(["doctor", "--clear-kernels"]) == 0
    out = "".join(capsys.readouterr().out.split())  # a long path is cut into lines
    assert out == f"Deleted0compiledkernels,0B:{place}"

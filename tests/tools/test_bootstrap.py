"""The set-up script notices what is wrong with an environment, without installing anything."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "bootstrap.py"


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    venv = tmp_path / ".venv"
    monkeypatch.setattr(module, "VENV", venv)
    monkeypatch.setattr(module, "STAMP", venv / "qsim-stamp.json")
    monkeypatch.setattr(module, "PYTHON", venv / "bin" / "python")
    return module


def _environment(bootstrap: ModuleType) -> Path:
    bootstrap.PYTHON.parent.mkdir(parents=True)
    bootstrap.PYTHON.symlink_to(sys.executable)
    site = bootstrap.site_packages()
    (site / "pkg").mkdir(parents=True)
    (site / "pkg" / "a.py").write_text("12345")
    (site / "pkg-1.dist-info").mkdir()
    (site / "pkg-1.dist-info" / "RECORD").write_text("pkg/a.py,sha256=x,5\npkg/a.pyc,,\n")
    stamp = {"digest": bootstrap.requirements_digest(), "extras": ["models"]}
    bootstrap.STAMP.write_text(json.dumps({**stamp, "root": str(bootstrap.ROOT)}))
    return site


def test_a_complete_environment_is_kept(bootstrap: ModuleType) -> None:
    _environment(bootstrap)
    assert bootstrap.why_broken() == ""
    assert bootstrap.main(["models"]) == 0


def test_a_missing_environment_is_broken(bootstrap: ModuleType) -> None:
    assert bootstrap.why_broken() == "it has no Python"


def test_an_interrupted_install_is_broken(bootstrap: ModuleType) -> None:
    _environment(bootstrap)
    bootstrap.STAMP.unlink()
    assert bootstrap.why_broken() == "its set-up was not finished"


def test_a_deleted_file_is_named(bootstrap: ModuleType) -> None:
    site = _environment(bootstrap)
    (site / "pkg" / "a.py").unlink()
    assert bootstrap.why_broken() == "pkg/a.py is missing"


def test_a_truncated_file_is_named(bootstrap: ModuleType) -> None:
    site = _environment(bootstrap)
    (site / "pkg" / "a.py").write_text("123")
    assert bootstrap.why_broken() == "pkg/a.py has 3 bytes instead of 5"


def test_a_python_that_does_not_run_is_broken(bootstrap: ModuleType) -> None:
    _environment(bootstrap)
    bootstrap.PYTHON.unlink()
    bootstrap.PYTHON.symlink_to("/bin/false")
    assert "does not run" in bootstrap.why_broken()


@pytest.mark.parametrize("extras", [["models", "dev"], ["peers"]])
def test_new_extras_are_installed_beside_the_old(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, extras: list[str]
) -> None:
    _environment(bootstrap)
    asked: list[set[str]] = []
    monkeypatch.setattr(bootstrap, "install", asked.append)
    assert bootstrap.main(extras) == 0
    assert asked == [{"models", *extras}]
    assert set(json.loads(bootstrap.STAMP.read_text())["extras"]) == asked[0]


def test_changed_requirements_are_installed(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    _environment(bootstrap)
    asked: list[set[str]] = []
    monkeypatch.setattr(bootstrap, "install", asked.append)
    monkeypatch.setattr(bootstrap, "requirements_digest", lambda: "other")
    bootstrap.main(["models"])
    assert asked == [{"models"}]


def test_system_tools_are_installed_for_cosim(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    _environment(bootstrap)
    ran: list[tuple[object, ...]] = []
    monkeypatch.setattr(bootstrap, "run", lambda *words: ran.append(words))
    monkeypatch.setattr(bootstrap, "install", lambda _extras: None)
    monkeypatch.setattr(bootstrap, "lacking_tools", lambda: ["iverilog", "perl"])
    assert bootstrap.main(["models"]) == 0
    assert ran == []
    assert bootstrap.main(["models", "cosim"]) == 0
    assert [words[-4:] for words in ran][-1] == (
        "-y", "--no-install-recommends", "iverilog", "perl"
    )  # fmt: skip


def test_lacking_tools_are_told_by_package(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {"g++", "make"}
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: name if name in here else None)
    monkeypatch.setattr(bootstrap.sys, "base_prefix", "/opt/python")
    assert bootstrap.lacking_tools() == ["iverilog", "perl"]
    monkeypatch.setattr(bootstrap.sys, "base_prefix", "/usr")
    monkeypatch.setattr(bootstrap.ctypes.util, "find_library", lambda _name: None)
    assert bootstrap.lacking_tools()[-1].startswith("libpython3.")

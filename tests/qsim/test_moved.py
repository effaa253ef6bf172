"""Module names that earlier versions documented go on working."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from qsim.moved import MOVED
from tests import fresh
from tests.tree import ROOT


@pytest.mark.parametrize("old", MOVED)
def test_an_old_name_is_the_module_itself(old: str) -> None:
    pytest.importorskip("executorch" if "executorch" in old else "qsim")
    module = import_module(old)
    assert module is import_module(MOVED[old])
    assert module.__spec__ is not None
    assert module.__spec__.name == MOVED[old]


@pytest.mark.parametrize("old", MOVED)
def test_no_module_has_an_old_name(old: str) -> None:
    place = ROOT / Path(*old.split("."))
    assert not place.with_suffix(".py").exists()
    assert not place.is_dir()


def test_old_names_load_nothing_before_they_are_asked_for() -> None:
    assert fresh.loaded("import qsim", "qsim.program", "qsim.network", "torch", "numba") == []


def test_names_of_an_old_module() -> None:
    code = "from qsim.binding import Binding; from qsim.attributes import format_to_json; print(1)"
    assert fresh.run(code).stdout == "1\n"

"""Public names: what is there, what it takes, and what is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

import hw_models
from tools.record.commands import text
from tools.record.names import NAMES, describe, resolve, signature
from tools.record.normal import ROOT


def test_a_function_and_its_module_of_one_name_are_told_apart() -> None:
    assert describe("hw_models.requantize")["kind"] == "function"
    assert resolve("hw_models.requantize") == (True, hw_models.requantize)
    reference = describe("hw_models.requantize.reference")
    assert reference["kind"] == "function"
    assert "select" in reference["signature"]


def test_classes_have_their_members() -> None:
    found = describe("hw_models.FixedFormat")
    assert found["signature"].startswith("(bits: 'int' = 8")
    assert found["members"]["min"] == "property"
    assert found["members"]["wrap"].startswith("(self, x")
    assert not any(name.startswith("_") for name in found["members"])


def test_what_is_not_there_is_absent() -> None:
    assert describe("qsim.no_such_name") == {"kind": "absent"}
    assert describe("no_such_package.name") == {"kind": "absent"}


def test_every_name_is_listed_once() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_the_folder_of_the_repository_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def function(rtl: object = ROOT / "rtl") -> None: ...

    assert "<root>/rtl" in signature(function)
    target = ROOT / "qsim" / "targets" / "q7.toml"
    assert text("inspect", str(target))["command"] == "qsim inspect <root>/qsim/targets/q7.toml"

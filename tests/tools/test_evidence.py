"""docs/evidence.md is what tests, RTL and targets say, and no mark says more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qsim.target import Target
from tools.evidence import claims, page
from tools.evidence.__main__ import main
from tools.evidence.circuits import circuit, serves

RELEASE = re.compile(r"\b([a-z-]+) (\d+(?:\.\d+)+)")
FOUND = claims.claims()


def test_the_page_is_what_the_tool_makes() -> None:
    assert page.PAGE.read_text("utf-8") == page.text()


@pytest.mark.parametrize("name", Target.names())
def test_a_target_names_the_releases_that_it_was_compared_with(name: str) -> None:
    target = Target.load(name)
    programs = {claim.program for claim in FOUND if name in claim.targets}
    assert set(RELEASE.findall(target.checked)) == {page.release(program) for program in programs}
    assert target.checked.startswith("Nothing: ") == (not programs)


def test_rtl_is_asked_of_the_target() -> None:
    assert serves("requantize", Target.load("tflite"))
    assert not serves("requantize", Target.load("pytorch"))
    assert serves("add", Target.load("xnnpack"))
    assert not serves("add", Target.load("onnxruntime"))
    assert serves("avg_pool", Target.load("q7"))
    assert not serves("avg_pool", Target.load("tosa"))  # of codes less their zero point
    assert not serves("requantize_linear", Target.load("litert-reference"))
    assert not serves("softmax", Target.load("tflite"))


def test_circuits() -> None:
    known = {name: circuit(name) for name in ("requantize", "lookup", "linear", "clamp", "sub")}
    shown = {
        name: each and (each.module, each.proved, each.mutated) for name, each in known.items()
    }
    assert shown == {
        "requantize": ("requantize", True, True),
        "lookup": ("lookup", True, True),
        "linear": ("correlation", False, True),
        "clamp": ("requantize", False, True),
        "sub": None,
    }


@pytest.fixture
def peers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of tests in the place of tests/peers."""
    monkeypatch.setattr(claims, "ROOT", tmp_path)
    monkeypatch.setattr(claims, "PEERS", tmp_path)
    return tmp_path / "test_mine.py"


@pytest.mark.parametrize(
    ("mark", "says"),
    [
        ('"apytypes", ["add"], TARGETS', "test_mine.py, line 1: the mark must be"),
        ('"apytypes"', "test_mine.py, line 1: the mark must be"),
        ('"apytypes", ["add", "add"]', "names something twice"),
        ('"apytypes", ["add"], ["q15"]', "add of target q15, which there is not"),
        ('"apytypes", ["add"], ["q9"]', "add of target q9, which there is not"),
    ],
)
def test_a_mark_that_cannot_be_true_is_refused(
    mark: str, says: str, peers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peers.write_text(f"@pytest.mark.peer({mark})\ndef test_it(): ...\n")
    assert main(["--check"]) == 1
    assert says in capsys.readouterr().err


def test_another_mark_is_another_page(peers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    peers.write_text('@pytest.mark.peer("apytypes", ["sub"], ["q7"])\ndef test_it(): ...\n')
    assert main(["--check"]) == 1
    assert "docs/evidence.md is not what the tests say" in capsys.readouterr().out


def test_a_difference_that_says_nothing_is_refused(peers: Path) -> None:
    peers.write_text("def test_exception_something(): ...\n")
    with pytest.raises(ValueError, match="test_exception_something does not say what differs"):
        claims.differences()

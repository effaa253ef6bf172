"""The table of seconds per folder: which line a test belongs to, and what is added up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.seconds import Folder, folder_of, folders_of


@pytest.mark.parametrize(
    ("test", "folder"),
    [
        ("tests/rtl/test_lint.py::test_a[b/c::d]", "tests/rtl"),
        ("tests/hw_models/products/test_x.py::test_a", "tests/hw_models"),
        ("tests/qsim/executorch/pte/test_x.py::test_a", "tests/qsim/executorch"),
        ("tests/qsim/test_x.py::test_a", "tests/qsim"),
        ("tests/test_x.py::test_a", "tests"),
    ],
)
def test_a_test_has_one_line(test: str, folder: str) -> None:
    assert folder_of(test) == folder


def test_phases_add_up_and_the_longest_comes_first() -> None:
    def report(test: str, when: str, processor: float) -> SimpleNamespace:
        return SimpleNamespace(nodeid=test, when=when, duration=2.0, processor=processor)

    short = report("tests/rtl/test_a.py::test_a", "call", 0.5)
    phases = [report("tests/qsim/test_b.py::test_b", w, 1.0) for w in ("setup", "call", "teardown")]
    found = folders_of([short, *phases])
    assert list(found.items()) == [
        ("tests/qsim", Folder(tests=1, clock=6.0, processor=3.0)),
        ("tests/rtl", Folder(tests=1, clock=2.0, processor=0.5)),
    ]

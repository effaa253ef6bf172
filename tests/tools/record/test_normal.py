"""Documents and texts without times, folders and addresses, and with all the rest."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tools.record import normal


def test_a_document_loses_times_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    document = {
        "seconds": 1.5,
        "calls": [{"build_seconds": 2, "cycles": 65, "where": f"{tmp_path}/x"}],
        "file": f"{normal.ROOT}/golden",
    }
    assert normal.value(document) == {
        "calls": [{"cycles": 65, "where": "<work>/x"}],
        "file": "<root>/golden",
    }
    assert normal.paths(f"{tempfile.gettempdir()}/a") == "<tmp>/a"


def test_a_timed_text_is_the_same_for_every_time() -> None:
    one = normal.text("conv   1,024   65   33 ms\nagrees: 12 elements in 0.6 s.\n", timed=True)
    two = normal.text("conv   1,024   65   1.3 s\nagrees: 12 elements in 12 s.\n", timed=True)
    assert one == two == ["conv 1,024 65 #", "agrees: 12 elements in #."]
    assert normal.text("a  b \n") == ["a  b "]


def test_objects_have_no_addresses() -> None:
    line = "(select=<function if_else at 0x7f01>, out=<a.B object at 0x55aa>, n=<factory>)"
    assert normal.objects(line) == "(select=<function>, out=<a.B object>, n=<factory>)"

"""Two records: what differs is named by its path, times are not looked at."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tools.record.compare import differences, summary

ENTRIES: dict[str, Any] = {
    "pair/digits/q7": {
        "run": {
            "status": 0,
            "document": {"layers": [{"name": "conv", "overflows": 0}], "seconds": 1.5},
        },
        "compile": {"status": 0, "document": {}, "files": {"a": "sha256:1", "d": {"x": "2"}}},
    },
    "texts/helps": {"run": {"status": 0, "text": ["one", "two"]}},
    "names/record": {"qsim.load": {"kind": "function", "signature": "(path)"}},
}


def changed(*path: str | int, value: object = None) -> dict[str, Any]:
    """Return the entries with another value at a path, or without it."""
    entries = copy.deepcopy(ENTRIES)
    inside: Any = entries
    for key in path[:-1]:
        inside = inside[key]
    if value is None:
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    return entries


RUN = ("pair/digits/q7", "run")
CHANGED = [
    (
        changed(*RUN, "document", "layers", 0, "overflows", value=1),
        "pair/digits/q7/run/document/layers/0/overflows: 0 -> 1",
    ),
    (changed(*RUN, "status"), "pair/digits/q7/run/status: 0 -> missing"),
    (changed("names/record"), 'names/record: {"qsim.load": {"kind": '),
    (changed(*RUN, "new", value="x"), 'pair/digits/q7/run/new: missing -> "x"'),
    (
        changed("texts/helps", "run", "text", value=["one", "two", "three"]),
        'texts/helps/run/text/2: missing -> "three"',
    ),
    (
        changed("pair/digits/q7", "compile", "files", "d", "x", value="3"),
        'pair/digits/q7/compile/files/d/x: "2" -> "3"',
    ),
    # Equal in Python, but not in JSON.
    (changed(*RUN, "status", value=False), "pair/digits/q7/run/status: 0 -> false"),
    (changed(*RUN, "status", value=0.0), "pair/digits/q7/run/status: 0 -> 0.0"),
]


@pytest.mark.parametrize(("new", "line"), CHANGED, ids=lambda item: str(item)[:40])
def test_a_change_is_found_once_with_its_path(new: dict[str, Any], line: str) -> None:
    (found,) = differences(ENTRIES, new)
    assert str(found).startswith(line)


def test_equal_records_have_no_difference() -> None:
    assert list(differences(ENTRIES, copy.deepcopy(ENTRIES))) == []


@pytest.mark.parametrize("key", ["seconds", "build_seconds"])
def test_times_are_not_looked_at(key: str) -> None:
    assert list(differences(ENTRIES, changed(*RUN, "document", key, value=99.0))) == []
    assert list(differences(ENTRIES, changed(*RUN, "document", "seconds"))) == []


def test_the_summary_counts_by_kind() -> None:
    assert summary(ENTRIES) == "1 pairs, 1 other units, 2 documents, 1 texts, 2 files, 1 names"

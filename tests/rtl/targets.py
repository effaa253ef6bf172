"""Targets that differ from a shipped one in a few values, with a small array."""

from __future__ import annotations

from typing import Any

from qsim.target import Target
from tests.qsim.cosim.jobs import array_cases as make


def target(name: str, rows: int = 2, columns: int = 2, **changes: Any) -> Target:
    """Return a shipped target; ``section__key`` states another value of a section."""
    document = make.target(rows, columns, name).to_dict()
    for path, value in changes.items():
        section, key = path.split("__")
        document[section][key] = value
    return Target.from_dict(document)

"""``@pytest.mark.peer``: a test compares primitives with another program, on these targets.

    @pytest.mark.peer("LiteRT reference", ["sub"], ["litert-reference", "tflite"], dtype="int8")

The first two say which program and which primitives; the third, which may be left out, on which
targets: those that have the primitives under the very contract that the test calls. Further
keywords are parameters of the test (or their names), for which alone the mark is true.

docs/evidence.md is made of these marks (``python -m tools.evidence``), so they are literals; and no
mark stands that the test, when it runs, does not keep.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tests.peers.evidence.observed import Seen


def holds_for(item: pytest.Item, mark: pytest.Mark) -> bool:
    """Return whether a mark speaks of a test with these parameters."""
    given = getattr(item, "callspec", None)
    parameters: dict[str, Any] = given.params if given is not None else {}
    return all(
        name in parameters and value in (parameters[name], getattr(parameters[name], "name", None))
        for name, value in mark.kwargs.items()
    )


def check(item: pytest.Item, seen: Seen) -> None:
    """Require of what a test called that it is what its marks say."""
    for mark in item.iter_markers("peer"):
        if not holds_for(item, mark):
            continue
        peer, primitives, *targets = mark.args
        for primitive in primitives:
            why = seen.why_not(primitive, tuple(*targets))
            assert not why, f"the mark {peer!r} is not true: {why}"


def idle(items: list[pytest.Item]) -> Iterator[str]:
    """Yield the marks that speak of no test: parameters that there are not."""
    engines = {"none", *torch.backends.quantized.supported_engines}
    kept: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for item in items:
        # A test without parameters on this machine is skipped, and torch may lack an engine here.
        skipped = item.get_closest_marker("skip") is not None
        for mark in item.iter_markers("peer"):
            lacks = mark.kwargs.get("engine", "none") not in engines
            true = skipped or lacks or holds_for(item, mark)
            kept[item.nodeid.split("[")[0], str(mark)].append(true)
    for (test, mark), true in kept.items():
        if not any(true):
            yield f"{test}: {mark}"

"""Run cases of one primitive and scheme until enough output elements were compared."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

SEED = int(os.environ.get("SEED", "20240607"))
LEAST = 12  # cases, however many elements the first ones have
MORE = 40  # cases tried after a failure, in search of a smaller one

Rng: TypeAlias = np.random.Generator
# Elements compared, the first difference or None, and what reproduces it.
Outcome: TypeAlias = tuple[int, str | None, str]
# Draws one case of a scheme, runs it and compares.
Case: TypeAlias = Callable[[Rng, str], Outcome]


def run(name: str, case: Case, scheme: str, count: int) -> None:
    """Run cases until ``count`` output elements were compared."""
    seed = [SEED, zlib.crc32(f"{name}/{scheme}".encode())]
    rng = np.random.default_rng(seed)
    done, number, failures, stop = 0, 0, [], None
    while (done < count or number < LEAST) and (stop is None or number < stop):
        number += 1
        elements, problem, about = case(rng, scheme)
        done += max(elements, 1)
        if problem is not None:
            failures.append((len(about), f"case {number}: {problem}\n  {about}"))
            stop = stop or number + MORE
    assert not failures, (
        f"SEED={SEED} {name} {scheme}: {len(failures)} of {number} cases differ; the smallest:\n"
        + min(failures)[1]
    )

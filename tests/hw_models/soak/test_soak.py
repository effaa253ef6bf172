"""Every primitive against an independent oracle, its ``reference()`` and its ledger's definition.

Random values, and values directed at what random ones miss: exact ties of both signs and their
neighbours, made from the multiplier and the shift; the edges where the output saturates; extremes;
every container, and strided, negative, transposed and read-only views. ``pytest -m "not soak"``
runs a slice; ``SOAK=100000 pytest -m soak`` that many output elements for every primitive and
scheme. ``SEED`` changes the seed, which a failure prints with the smallest failing case found.
"""

from __future__ import annotations

import os

import pytest

from tests.hw_models.soak.driver import run
from tests.hw_models.soak.registry import PRIMITIVES, SCHEMES

SLICE = 1000
LONG = int(os.environ.get("SOAK", "100000"))


@pytest.mark.parametrize(("name", "scheme"), SCHEMES)
def test_slice(name: str, scheme: str) -> None:
    run(name, PRIMITIVES[name][0], scheme, SLICE)


@pytest.mark.soak
@pytest.mark.parametrize(("name", "scheme"), SCHEMES)
def test_soak(name: str, scheme: str) -> None:
    run(name, PRIMITIVES[name][0], scheme, LONG)

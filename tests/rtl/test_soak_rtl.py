"""Every primitive, scheme and rounding of the RTL in the bulk lane: zero mismatches.

``pytest -m "not soak"`` runs a slice: the directed vectors of some kinds on Icarus; the tests of
each module have one build by Verilator. ``pytest -m soak`` sends 10 million vectors (elements of
results that are compared) and more through Verilator; ``SOAK_VECTORS`` is how many each kind gets,
times its share.
"""

from __future__ import annotations

import os
import time
from typing import Final

import pytest

from qsim.cosim.lanes.bulk import bulk_recipe, run_bulk
from qsim.cosim.simulators.builds import build, build_all
from qsim.cosim.simulators.toolchain import find
from qsim.cosim.simulators.wrapper import design
from tests.rtl.soak_vectors import KINDS

LEAST: Final = 10_000_000
DEFAULT: Final = 200_000
VECTORS: Final = int(os.environ.get("SOAK_VECTORS", DEFAULT))
SLICE: Final = (
    "requantize: double, 16 bits",
    "requantize: single, 20-bit accumulator",
    "requantize: double, unsigned codes",
    "requantize: power of two, half_odd",
    "requantize: power of two, stochastic",
    "bias_add: narrow20, saturate_symmetric",
    "add: shifted, single",
    "add: aligned, 12 bits, saturate",
    "add: multiplier, half_even",
    "clamp",
    "lookup: unsigned",
    "max_pool: unsigned",
    "avg_pool: half_toward_zero",
    "correlation: sum, saturate_symmetric",
    "matmul: 32 bits",
    "conv_engine: power of two",
)


def wanted(name: str, vectors: int) -> int:
    """Return how many vectors a kind gets."""
    return round(vectors * KINDS[name].share)


def send(name: str, simulator: str, count: int) -> tuple[int, int, list[str]]:
    """Return elements that were compared, beats that were sent, and the jobs that differ."""
    elements = beats = 0
    wrong = []
    for made in KINDS[name].jobs(count):
        recipe = bulk_recipe(design(made.unit), find(simulator))
        if not run_bulk(made, build(recipe)).agrees:
            wrong.append(f"{name}: {made.name}")
        elements += made.elements
        beats += len(made.beats)
    return elements, beats, wrong


@pytest.mark.parametrize("name", SLICE)
def test_slice(name: str) -> None:
    elements, _, wrong = send(name, "icarus", 0)
    assert elements >= 100
    assert wrong == []


def test_the_soak_is_ten_million_vectors() -> None:
    assert sum(wanted(name, DEFAULT) for name in KINDS) >= LEAST


@pytest.mark.soak
def test_soak(capsys: pytest.CaptureFixture[str]) -> None:
    verilator = find("verilator")
    first = (next(kind.jobs(1)) for kind in KINDS.values())
    started = time.perf_counter()
    build_all(bulk_recipe(design(made.unit), verilator) for made in first)
    total = sent = 0
    wrong = []
    for name in KINDS:
        elements, beats, differing = send(name, "verilator", wanted(name, VECTORS))
        assert elements >= wanted(name, VECTORS)
        total, sent = total + elements, sent + beats
        wrong += differing
        seconds = time.perf_counter() - started
        with capsys.disabled():
            print(f"\n{seconds:7.0f} s {total:11,} vectors {sent:12,} beats  {name}", end="")
    assert wrong == []

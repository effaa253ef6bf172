"""Copies of the RTL with one flaw each: they differ on the elements that the flaw is about alone.

Every flaw is tried on the directed vectors of its primitive. What the broken module makes of the
operands is worked out from the beats, in plain integers, so that the elements that differ, and what
comes out for them, are known beforehand.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hw_models.schemes import FixedPoint
from qsim.cosim.jobs import conv_engine
from qsim.cosim.jobs.makers import job
from tests.qsim.cosim.jobs import array_cases as make
from tests.rtl.arrays import FULL, broken, run
from tests.rtl.broken.elements import elements, results
from tests.rtl.broken.faults import FAULTS

VERILATOR = "requantize: a negative tie of the second rounding goes up"


@pytest.mark.parametrize(
    ("name", "simulator"), [*((name, "icarus") for name in FAULTS), (VERILATOR, "verilator")]
)
def test_exactly_the_elements_of_the_flaw_differ(name: str, simulator: str, tmp_path: Path) -> None:
    fault, made = FAULTS[name], FAULTS[name].job
    sound = run(made, FULL, simulator)
    assert sound.agrees
    expected = results(made, sound)
    flawed = [fault.result(element) for element in elements(made)]
    caught = [i for i, (good, bad) in enumerate(zip(expected, flawed, strict=True)) if good != bad]
    assert 0 < len(caught) < len(expected)

    rtl = broken(tmp_path, fault.file, fault.right, fault.wrong)
    outcome = run(made, FULL, simulator, rtl)

    assert not outcome.problems
    assert results(made, outcome) == flawed


@pytest.mark.parametrize("name", [VERILATOR, "requantize: no upper limit"])
def test_a_flaw_is_found_inside_a_whole_layer(name: str, tmp_path: Path) -> None:
    """conv_engine.sv ends in requantize.sv: its codes differ where that module's do."""
    fault, contract = FAULTS[name], make.target(3)
    sums = make.correlation((2, 3, 5, 4), (8, 3, 3, 3), padding=1)
    layer = make.layer(sums, FixedPoint(1 << 30, 34))
    made = conv_engine.job(layer, contract)
    assert run(made, FULL).agrees
    expected = layer[-1].expected.reshape(-1)
    flawed = np.array([fault.result(element) for element in elements(job(layer[-1], contract))])
    assert 0 < np.count_nonzero(flawed != expected) < expected.size

    outcome = run(made, FULL, rtl=broken(tmp_path, fault.file, fault.right, fault.wrong))

    assert not outcome.problems
    assert results(made, outcome) == flawed[made.element[:, 0]].tolist()

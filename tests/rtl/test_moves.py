"""move.sv on a simulator: every kind of move, under stalls and resets; a design of one's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import qsim
from hw_models import FixedFormat
from qsim import Target
from qsim.cosim.jobs.makers import job
from tests.qsim.cosim.jobs import array_cases as arrays
from tests.qsim.cosim.jobs import elementwise_cases as make
from tests.qsim.cosim.jobs.test_move import CASES, permuted
from tests.rtl.arrays import FULL, agree, broken, run
from tests.rtl.broken.elements import together
from tests.rtl.test_dut_primitives import bound

TFLITE = Target.load("tflite")
NAMES = [name for name, case in CASES.items() if case.formats["x"].bits == 8 and case.size < 256]


def test_moves_of_every_kind_agree() -> None:
    jobs = [job(CASES[name], TFLITE) for name in NAMES]
    agree(together([replace(made, unit=jobs[0].unit) for made in jobs]))


@pytest.mark.soak
def test_moves_of_every_kind_agree_on_verilator() -> None:
    jobs = [job(case, TFLITE) for case in CASES.values() if case.formats["x"].bits == 8]
    agree(together([replace(made, unit=jobs[0].unit) for made in jobs]), "verilator")


def test_more_codes_than_the_least_memory_holds_and_wider_ones() -> None:
    x = arrays.codes(FixedFormat(16), (2, 900))
    where = np.random.default_rng(2).integers(0, 900, 700)
    form = FixedFormat(16)
    operands = {"x": (x, form), "indices": (where, FixedFormat(32))}
    made = job(make.made("gather", {"axis": 1}, operands, form, (2, 700)), TFLITE)
    assert (made.unit.parameters["ADDRESS_W"], made.unit.parameters["TABLE_W"]) == (12, 12)
    assert run(made, FULL).agrees


def test_a_counter_that_ends_too_early_is_found(tmp_path: Path) -> None:
    made = job(permuted((2, 3, 4, 5), (0, 2, 3, 1)), TFLITE)
    right = "ending = index[d*COUNT_W+:COUNT_W] == lasts[d*COUNT_W+:COUNT_W];"
    wrong = "ending = index[d*COUNT_W+:COUNT_W] >= lasts[d*COUNT_W+:COUNT_W] >> (d == 3);"
    outcome = run(made, FULL, rtl=broken(tmp_path, "move_counters.sv", right, wrong))
    assert outcome.beats_out < outcome.beats_expected
    assert {"hang"} == {problem.kind for problem in outcome.problems}


LINES = (arrays.codes(make.INT8, (3, 5)), make.INT8)
BACKWARD = {
    "gather": make.made(
        "gather", {"axis": 1}, {"x": LINES, "indices": (np.arange(5)[::-1], FixedFormat(32))},
        make.INT8, (3, 5),
    ),
    "strided_slice": make.made(
        "strided_slice", {"starts": [0, 4], "steps": [1, -1], "sizes": [-1, 5]}, {"x": LINES},
        make.INT8, (3, 5),
    ),
}  # fmt: skip


@pytest.mark.parametrize("primitive", BACKWARD)
def test_a_design_of_one_s_own_moves_packets(primitive: str, tmp_path: Path) -> None:
    for parameters, wrong in (("", 0), ("LATE = 1", 3)):
        dut = bound(tmp_path, "backward", parameters, **{'"gather"': f'"{primitive}"'})
        settings = qsim.cosim.with_dut(qsim.cosim.Settings("icarus"), dut)
        report = qsim.cosim.run_cases([BACKWARD[primitive]], TFLITE, settings, "backward")
        (call,) = report.calls
        assert (call.module, call.elements, call.mismatches) == ("backward", 15, wrong)

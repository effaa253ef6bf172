"""Deliberately broken copies of the element-wise modules are caught, where they must be."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from hw_models import Accumulator, FixedFormat
from hw_models.add import AlignedAdd, MultiplierAdd, ShiftedAdd
from hw_models.schemes import FixedPoint, PowerOfTwo
from qsim.cosim.build import build
from qsim.cosim.bulk import bulk_recipe, run_bulk
from qsim.cosim.jobs import job
from qsim.cosim.lane import LaneResult, Stimulus
from qsim.cosim.toolchain import find
from qsim.cosim.wrapper import RTL, design
from qsim.golden import Case
from qsim.target import Target
from tests.qsim import elementwise_cases as make

TARGET = Target.load("tflite")
SMALL = np.arange(-20, 20)
INT_MIN = -(1 << 31)


class Flaw(NamedTuple):
    """A change of one file, and the first element, in C order, whose result it makes wrong."""

    file: str
    good: str
    bad: str
    case: Callable[[], Case]  # made when it is needed: importing this computes nothing
    first: int


def at(value: int) -> int:
    """Return the index of a value of SMALL."""
    return value + 20


def halves(rounding: Any) -> Callable[[], Case]:
    """Divide SMALL by 4."""
    return lambda: make.requantize(SMALL, PowerOfTwo(2, rounding))


FLAWS = {
    "a tie goes down": Flaw(
        "round_shift.sv", "4: up = half;", "4: up = above;", halves("half_up"), at(-18)
    ),
    "a negative tie goes up": Flaw(
        "round_shift.sv", "(half && !negative)", "half", halves("half_away"), at(-18)
    ),
    "a tie goes to odd": Flaw(
        "round_shift.sv", "8: up = above || (half && odd);", "8: up = above || (half && !odd);",
        halves("half_even"), at(-18),
    ),
    "a bit of the fraction is lost": Flaw(
        "round_shift.sv", "|fraction[F_W-2:0]", "|fraction[F_W-3:0]", halves("half_down"), at(-17)
    ),
    "the product's only overflow": Flaw(
        "rescale_round.sv", "quotient[32:31] == 2'b01", "1'b0",
        lambda: make.requantize([5, INT_MIN], FixedPoint(INT_MIN, 31), output=FixedFormat(32)), 1,
    ),
    "the multiplier's left shift": Flaw(
        "fixed_multiply.sv", "N - shift", "N - shift - 7'd1",
        lambda: make.requantize([0, 1, 2], FixedPoint(1 << 30, 29)), 1,
    ),
    "no saturation before the zero point": Flaw(
        "code_clamp.sv", "fits ? value[N_W-1:0]", "1'b1 ? value[N_W-1:0]",
        lambda: make.requantize([0, 511, 512, 1024, 5000], PowerOfTwo(0, "floor")), 2,
    ),
    "no lower limit": Flaw(
        "code_clamp.sv", "below ? low[OUT_W-1:0] : ", "",
        lambda: make.requantize([-128, -129], PowerOfTwo(0, "floor")), 1,
    ),
    "no zero point": Flaw(
        "requantize_core.sv", "X_W'(acc) - X_W'(input_zero_point)", "X_W'(acc)",
        lambda: make.requantize([0, 7, 8], PowerOfTwo(3, "floor"), input_zero_point=1), 0,
    ),
    "no saturation of the sum": Flaw(
        "overflow.sv", "OVERFLOW != 0 && wide > W'(HIGH)", "1'b0",
        lambda: make.bias_add([[100, 120, 127, 128]], [7, 7, 0, 0], Accumulator(8, "saturate")), 3,
    ),
    "a sum one bit too narrow": Flaw(
        "bias_add_core.sv", "BIAS_W) + 1;", "BIAS_W);",
        lambda: make.bias_add([[1, (1 << 31) - 1, 5]], [0, 1, 2], Accumulator(32, "saturate")), 1,
    ),
    "the unused code of a symmetric sum": Flaw(
        "overflow.sv", "OVERFLOW == 2 ? 1 : 0", "0",
        lambda: make.bias_add([[-127, -128]], [0, 0], Accumulator(8, "saturate_symmetric")), 1,
    ),
    "operands rescaled by each other's scale": Flaw(
        "add_shifted.sv", ".multiplier(scales[B+:MUL_W])", ".multiplier(scales[0+:MUL_W])",
        lambda: make.add([0, 9], [0, 90], ShiftedAdd.from_scales(0.3, 0.1, 0.2)), 1,
    ),
    "one operand is not aligned": Flaw(
        "add_aligned.sv", "EXACT_W'(b) <<< scales[11:6]", "EXACT_W'(b)",
        lambda: make.add([3, 3], [0, 1], AlignedAdd(0, 2, PowerOfTwo(0))), 1,
    ),
    "a product is subtracted": Flaw(
        "add_multiplier.sv", "V_W'(a_multiplier) + ", "V_W'(a_multiplier) - ",
        lambda: make.add([3, 3], [0, 1], MultiplierAdd(1, 1, 0)), 1,
    ),
    "a signed code taken as unsigned": Flaw(
        "add_core.sv", "IN_SIGNED != 0 && a[IN_W-1]", "1'b0",
        lambda: make.add([127, -1], [0, 0], MultiplierAdd(1, 1, 0)), 1,
    ),
    "a table whose first half is the second": Flaw(
        "lookup.sv", "m_axis_tdata  <= entries[address]", "m_axis_tdata  <= entries[~address]",
        lambda: make.lookup([-1, 5], range(-128, 128)), 0,
    ),
}  # fmt: skip


def run(case: Case, rtl: Path, stimulus: Stimulus) -> LaneResult:
    made = job(case, TARGET)
    return run_bulk(made, build(bulk_recipe(design(made.unit, rtl), find("icarus"))), stimulus)


def broken(folder: Path, file: str, good: str, bad: str) -> Path:
    """Copy the modules with one change."""
    rtl = folder / "rtl"
    shutil.copytree(RTL, rtl)
    text = (rtl / file).read_text("utf-8")
    assert text.count(good) == 1
    (rtl / file).write_text(text.replace(good, bad), encoding="utf-8")
    return rtl


@pytest.mark.parametrize("flaw", FLAWS.values(), ids=FLAWS)
def test_wrong_arithmetic_is_found_at_its_first_element(flaw: Flaw, tmp_path: Path) -> None:
    rtl = broken(tmp_path, flaw.file, flaw.good, flaw.bad)
    case = flaw.case()
    assert run(case, RTL, Stimulus()).agrees
    result = run(case, rtl, Stimulus())
    assert result.differing
    assert result.differences[0].beat == flaw.first


def looked_up() -> Case:
    return make.lookup(SMALL, range(-128, 128))


def summed() -> Case:
    return make.bias_add(SMALL[None], np.zeros(40, int), Accumulator(32))


STALLED = Stimulus(seed=1, stall_output=0.5)
RESET = Stimulus(seed=1, stall_output=0.5, resets=(20,))
STREAMS = {
    "a beat is overwritten while it waits": (
        "stream_register.sv", "!m_axis_tvalid || m_axis_tready", "1'b1", summed, STALLED, "unstable"
    ),
    "a beat is sent twice": (
        "stream_register.sv", "m_axis_tvalid <= s_axis_tvalid;",
        "m_axis_tvalid <= s_axis_tvalid || m_axis_tvalid;", summed, Stimulus(), "extra",
    ),
    "reset is not obeyed": (
        "stream_register.sv", "if (rst) m_axis_tvalid", "if (rst && m_axis_tready) m_axis_tvalid",
        summed, RESET, "reset",
    ),
    "a load makes a beat": (
        "lookup.sv", "s_axis_tvalid && !load;", "s_axis_tvalid;", looked_up, Stimulus(), "extra"
    ),
    "a read is overwritten while it waits": (
        "lookup.sv", "assign s_axis_tready = !m_axis_tvalid || m_axis_tready",
        "assign s_axis_tready = 1'b1", looked_up, STALLED, "unstable",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_a_broken_stream_is_named(name: str, tmp_path: Path) -> None:
    file, good, bad, make_case, stimulus, kind = STREAMS[name]
    case = make_case()
    assert run(case, RTL, stimulus).agrees
    result = run(case, broken(tmp_path, file, good, bad), stimulus)
    assert kind in {problem.kind for problem in result.problems}

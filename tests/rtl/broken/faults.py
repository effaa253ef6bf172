"""Flaws of the arithmetic: a change of one file, and what the broken module makes of operands."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from qsim.cosim.jobs.makers import job
from qsim.cosim.jobs.unit import Job
from qsim.golden import Case, directed
from qsim.golden.directed import vectors as v
from tests.qsim.cosim.jobs import array_cases as make
from tests.rtl.broken import formulas as f
from tests.rtl.broken.elements import Element, together
from tests.rtl.targets import target


@cache
def directed_job(primitive: str, name: str, changes: tuple[tuple[str, Any], ...] = ()) -> Job:
    """Return all directed vectors of a primitive, as one job."""
    contract = target(name, **dict(changes))
    cases = directed.cases(primitive, contract, seed=1, count=0)
    return together([job(case, contract) for case in cases])


class Fault(NamedTuple):
    """A change of the text of one file, in the directed vectors of a primitive and target."""

    primitive: str
    target: str
    file: str
    right: str
    wrong: str
    result: Callable[[Element], int]  # of the broken module
    changes: tuple[tuple[str, Any], ...] = ()  # of the target
    case: Callable[[], Case] | None = None  # instead of the directed vectors

    @property
    def job(self) -> Job:
        if self.case is not None:
            return job(self.case(), target(self.target, **dict(self.changes)))
        return directed_job(self.primitive, self.target, self.changes)


TIES = (v.TIE_UP, v.TIE_DOWN)
UNITS = "integer-transformer"  # a target whose norms have RTL of integers alone


def tied(primitive: str, variance: str = "") -> Case:
    """Return the directed call of a norm with most ties; its variance a "power" or a "square"."""
    cases = directed.cases(primitive, target(UNITS), seed=1, count=0)
    found = [case for case in cases if case.name.endswith(variance)]
    return max(found, key=lambda case: sum(case.classes.get(tie, 0) for tie in TIES))


def doubled(e: Element, **flaw: Any) -> int:
    return f.double(f.offset(e), e["multiplier"], e["shift"], e["MUL_W"], **flaw)


def by_shift(up: Callable[[int, int], bool]) -> Callable[[Element], int]:
    """Return requantize by a power of two that rounds so; see ``formulas.floor_and``."""
    return lambda e: f.codes(e, f.floor_and(f.offset(e), e["shift"], up))


def jammed_if_inexact(e: Element) -> int:
    x, shift = f.offset(e), e["shift"]
    inexact = shift > 0 and x % (1 << shift) != 0
    return f.codes(e, f.floor_and(x, shift, lambda *_: False) | inexact)


def rounding(name: str) -> tuple[tuple[str, Any], ...]:
    return (("requantize__rounding", name),)


def unsigned(value: int) -> int:
    return value & 0xFF


SYMMETRIC = (("sum__overflow", "saturate_symmetric"),)
ZERO_POINTS = (("input__scheme", "asymmetric"),)
NARROW_SUM = (("sum__bits", 12), ("sum__overflow", "saturate"))

FAULTS = {
    "requantize: a tie of the first rounding goes down": Fault(
        "requantize", "tflite", "rescale_round.sv",
        "(P_W'(1) << (N - 1))", "(P_W'(1) << (N - 1)) - P_W'(1)",
        lambda e: f.codes(e, doubled(e, first=f.half_down)),
    ),
    "requantize: a negative tie of the second rounding goes up": Fault(
        "requantize", "tflite", "round_shift.sv",
        "6: up = above || (half && !negative);", "6: up = half;",
        lambda e: f.codes(e, doubled(e, second=f.half_up)),
    ),
    "requantize: the product does not saturate": Fault(
        "requantize", "tflite", "rescale_round.sv",
        "quotient[32:31] == 2'b01 ? 32'h7fffffff : ", "",
        lambda e: f.codes(e, doubled(e, capped=False)),
    ),
    "requantize: no upper limit": Fault(
        "requantize", "tflite", "code_clamp.sv", "above ? high[OUT_W-1:0] : ", "",
        lambda e: f.unlimited(e, doubled(e), above=True),
    ),
    "requantize: the single rounding's tie goes down": Fault(
        "requantize", "tflite-single", "round_shift.sv", "4: up = half;", "4: up = above;",
        lambda e: f.codes(e, f.half_down(f.offset(e) * e["multiplier"], e["shift"])),
    ),
    "requantize: acc less its zero point one bit too narrow": Fault(
        "requantize", "narrow20", "requantize_core.sv", "ACC_W : ZI_W) + 1;", "ACC_W : ZI_W);",
        lambda e: f.codes(
            e, f.half_up(f.wrap(f.offset(e), e["ACC_W"]) * e["multiplier"], e["shift"])
        ),
        ZERO_POINTS,
    ),
    "requantize: half up, a tie goes down": Fault(
        "requantize", "q7", "round_shift.sv", "4: up = half;", "4: up = above;",
        by_shift(lambda _, beyond: beyond > 0),
    ),
    "requantize: half even, a tie goes to odd": Fault(
        "requantize", "q7", "round_shift.sv",
        "8: up = above || (half && odd);", "8: up = above || (half && !odd);",
        by_shift(lambda floor, beyond: beyond > 0 or (beyond == 0 and floor % 2 == 0)),
        rounding("half_even"),
    ),
    "requantize: half toward zero, a tie goes away": Fault(
        "requantize", "q7", "round_shift.sv",
        "7: up = above || (half && negative);", "7: up = above || (half && !negative);",
        by_shift(lambda floor, beyond: beyond > 0 or (beyond == 0 and floor >= 0)),
        rounding("half_toward_zero"),
    ),
    "requantize: jam leaves what is exact": Fault(
        "requantize", "q7", "round_shift.sv",
        "ROUNDING == 10 && shift != 0", "ROUNDING == 10 && inexact",
        jammed_if_inexact, rounding("jam"),
    ),
    "bias_add: a sum one bit too narrow": Fault(
        "bias_add", "narrow20", "bias_add_core.sv", "BIAS_W) + 1;", "BIAS_W);",
        lambda e: f.wrap(e["acc"] + e["bias"], 20),
    ),
    "bias_add: no saturation below": Fault(
        "bias_add", "narrow20", "overflow.sv", "OVERFLOW != 0 && wide < W'(LOW)", "1'b0",
        lambda e: f.wrap(min(e["acc"] + e["bias"], (1 << 19) - 1), 20),
    ),
    "bias_add: the unused code of a symmetric sum": Fault(
        "bias_add", "narrow20", "overflow.sv", "OVERFLOW == 2 ? 1 : 0", "0",
        lambda e: f.saturate(e["acc"] + e["bias"], 20), SYMMETRIC,
    ),
    "add: a negative tie goes up": Fault(
        "add", "tflite", "round_shift.sv",
        "6: up = above || (half && !negative);", "6: up = half;",
        lambda e: f.codes(e, f.shifted(e, second=f.half_up)),
    ),
    "add: a code less its zero point one bit too narrow": Fault(
        "add", "tflite", "add_core.sv", "D_W = IN_W + 2;", "D_W = IN_W;",
        lambda e: f.codes(e, f.shifted(e, bits=8)),
    ),
    "add: no lower limit": Fault(
        "add", "tflite", "code_clamp.sv", "below ? low[OUT_W-1:0] : ", "",
        lambda e: f.unlimited(e, f.shifted(e), above=False),
    ),
    "add: a tie of aligned codes goes down": Fault(
        "add", "q7", "round_shift.sv", "4: up = half;", "4: up = above;",
        lambda e: f.codes(
            e, f.floor_and(f.aligned(e), e["shift"], lambda _, beyond: beyond > 0)
        ),
    ),
    "add: the register of aligned codes does not saturate below": Fault(
        "add", "q7", "overflow.sv", "OVERFLOW != 0 && wide < W'(LOW)", "1'b0",
        lambda e: f.codes(
            e,
            f.floor_and(
                f.wrap(min(f.aligned(e), (1 << 11) - 1), 12), e["shift"], lambda _, b: b >= 0
            ),
        ),
        NARROW_SUM,
    ),
    "lookup: an address one bit too narrow": Fault(
        "lookup", "tflite", "lookup.sv",
        "address = s_axis_tdata[1+:IN_W];", "address = {1'b0, s_axis_tdata[1+:IN_W-1]};",
        lambda e: f.wrap(f.read(e["loads"], e["address"], 7), 8),
    ),
    "lookup: a value one bit too narrow": Fault(
        "lookup", "tflite", "lookup.sv",
        "value = s_axis_tdata[IN_W+1+:OUT_W];", "value = {1'b0, s_axis_tdata[IN_W+1+:OUT_W-1]};",
        lambda e: f.read(e["loads"], e["address"], 8) & 0x7F,
    ),
    "strided_slice: a start is left out": Fault(
        "strided_slice", "tflite", "move_address.sv", "address = base;", "address = '0;",
        lambda e: f.moved(e, base=0),
    ),
    "strided_slice: a stride one bit too narrow": Fault(
        "strided_slice", "tflite", "move_address.sv", "strides[d*ADDRESS_W+:ADDRESS_W];",
        "ADDRESS_W'(strides[d*ADDRESS_W+:ADDRESS_W-1]);", lambda e: f.moved(e, stride_bits=7),
    ),
    "gather: a position one bit too narrow": Fault(
        "gather", "tflite", "move.sv", "taken[d*ADDRESS_W+:ADDRESS_W] = entry;",
        "taken[d*ADDRESS_W+:ADDRESS_W] = {1'b0, entry[ADDRESS_W-2:0]};",
        lambda e: f.moved(e, bits=7),
    ),
    "layer_norm: a normalized value halfway goes away from zero": Fault(
        "layer_norm", UNITS, "norm_scale.sv", ".ROUNDING(4)", ".ROUNDING(6)",
        lambda e: f.normed(e, f.half_away), case=lambda: tied("layer_norm"),
    ),
    "rms_norm: the root of a square is one too small": Fault(
        "rms_norm", UNITS, "root_digit.sv", "left >= part", "left > part",
        lambda e: f.normed(e, root=lambda n: math.isqrt(n - 1)),
        case=lambda: tied("rms_norm", "square"),
    ),
    "group_norm: an epsilon is left out": Fault(
        "group_norm", UNITS, "norm_variance.sv", "{1'b0, epsilon}", "63'd0",
        lambda e: f.normed(e, epsilon=0), case=lambda: tied("group_norm"),
    ),
    "max_pool: codes taken as unsigned": Fault(
        "max_pool", "tflite", "max_pool_core.sv", "IN_SIGNED != 0 ?", "IN_SIGNED == 0 ?",
        lambda e: f.largest(e["taps"], lambda tap, best: unsigned(tap) > unsigned(best)),
    ),
    "max_pool: a comparison one bit too narrow": Fault(
        "max_pool", "tflite", "max_pool_core.sv",
        "$signed(now) > $signed(old)", "$signed(now[IN_W-1:1]) > $signed(old[IN_W-1:1])",
        lambda e: f.largest(e["taps"], lambda tap, best: tap >> 1 > best >> 1),
    ),
    "avg_pool: a negative tie goes up": Fault(
        "avg_pool", "tflite", "avg_pool_core.sv",
        "6: up = above_half || (half && positive);", "6: up = above_half || half;",
        lambda e: f.mean(sum(e["taps"]), len(e["taps"]), tie_up=True),
    ),
    "avg_pool: a tap too many is counted": Fault(
        "avg_pool", "tflite", "avg_pool.sv", "first ? COUNT_W'(1)", "first ? COUNT_W'(2)",
        lambda e: f.mean(sum(e["taps"]), len(e["taps"]) + 1, tie_up=sum(e["taps"]) > 0),
    ),
    # A mean leaves only the codes of an output that is narrower than the input.
    "avg_pool: no saturation above": Fault(
        "avg_pool", "tflite", "avg_pool_core.sv", "rounded > HIGH ? HIGH : ", "",
        lambda e: f.wrap(
            max(f.mean(sum(e["taps"]), len(e["taps"]), tie_up=sum(e["taps"]) > 0), -32), 6
        ),
        case=lambda: make.pool(
            "avg_pool", (1, 4, 9, 8), output={"bits": 6, "signed": True, "narrow": False}
        ),
    ),
    "correlation: no saturation above": Fault(
        "correlation", "narrow20", "correlation_core.sv",
        "OVERFLOW != 0 && value > STEP_W'(HIGH)", "1'b0",
        lambda e: f.accumulated(e, lambda total: f.wrap(max(total, -(1 << 19)), 20)),
    ),
    "correlation: a step one bit too narrow": Fault(
        "correlation", "narrow20", "correlation_core.sv", "ACC_W : P_W) + 1", "ACC_W : P_W)",
        lambda e: f.accumulated(e, lambda total: f.wrap(total, 20)),
    ),
    "correlation: a code less its zero point one bit too narrow": Fault(
        "correlation", "tflite", "correlation_core.sv", "DX_W = X_W + 2;", "DX_W = X_W;",
        lambda e: f.accumulated(e, lambda total: f.wrap(total, 32), bits=8),
    ),
}  # fmt: skip

"""A network of units without floats on RTL: recorded, played, and with one rounding broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import hw_models as hw
import qsim
from hw_models.softmax import IbertSoftmax
from qsim.cosim.runner import Settings, run_cases
from qsim.cosim.simulators.wrapper import design
from qsim.golden import load, record
from qsim.network.lowered import Lowered
from qsim.network.steps import Step, ValueSpec
from qsim.program import Call, Program, TensorSpec, encode_scheme, format_to_json
from tests.rtl.arrays import broken

INT8 = hw.FixedFormat(8)
TARGET = qsim.Target.load("integer-transformer")
COS, SIN = hw.rotary_tables(3, 4)


def call(name: str, primitive: str, inputs: tuple[str, ...], made: Any, **attributes: Any) -> Call:
    given = {"scheme": encode_scheme(made, "s", {}), "output": format_to_json(INT8), **attributes}
    return Call(name, "", primitive, inputs, name, given)


CALLS = (
    call("turned", "rotary", ("x", "cos", "sin"), hw.PowerOfTwo(14), pairing="interleaved",
         x_zero_point=3, zero_point=-2),
    call("curved", "integer_function", ("turned",), hw.IbertGelu.from_scales(0.03, 0.02, 5, -9)),
    call("gated", "integer_function", ("curved",), hw.ExpSilu.from_scales(0.05, 0.04)),
    call("y", "softmax", ("gated",), IbertSoftmax.from_scale(0.02, 1.0, "half_up"), axis=-1),
)  # fmt: skip


def network() -> Lowered:
    names = ("x", *(each.name for each in CALLS))
    specs = {name: TensorSpec(name, (-1, 3, 4), INT8) for name in names}
    program = Program("path", ("x",), ("y",), specs, {"cos": COS, "sin": SIN}, CALLS)
    step = Step("program", "path", ("x",), ("y",), {"program": 0})
    given, made = (ValueSpec(n, (-1, 3, 4), "int8", 0.1, 0, INT8) for n in ("x", "y"))
    return Lowered(TARGET, [given], [made], [step], [program], model="path")


def test_every_call_agrees_and_a_broken_rounding_is_found_at_its_index(tmp_path: Path) -> None:
    x = np.random.default_rng(2).integers(-128, 128, (2, 3, 4), np.int8)
    record(network(), x, tmp_path / "set")
    report = qsim.cosim.run(tmp_path / "set", simulator="icarus")
    assert report.ok
    assert [(each.name, each.elements) for each in report.calls] == [
        (each.name, 24) for each in CALLS
    ]

    cases = load(tmp_path / "set").cases
    wrong = IbertSoftmax.from_scale(0.02)  # what softmax makes without its rounding
    gated = next(case for case in cases if case.name == "y")
    floor = hw.softmax(gated.operands["x"], wrong)
    first = np.argwhere(floor != gated.expected)[0].tolist()
    rtl = broken(tmp_path, "softmax_core.sv", "HALF_UP != 0 ? 49'b1 << (PLACES - 1) : '0", "'0")
    settings = Settings("icarus", wrap=lambda unit: design(unit, rtl))
    report = run_cases(cases, TARGET, settings, "cases")
    found = {each.name: each for each in report.calls}
    assert [name for name, each in found.items() if each.mismatches] == ["y"]
    assert found["y"].mismatches == np.count_nonzero(floor != gated.expected)
    assert list(found["y"].first.index) == first

"""Programs of units without floats: an encoder's path by the definitions, files, refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import hw_models as hw
import qsim
from qsim.errors import ModelError
from qsim.golden import check, record
from qsim.network import load
from qsim.network.lowered import Lowered
from qsim.network.steps import Step, ValueSpec
from qsim.network.store import save
from qsim.program import Call, Program, TensorSpec
from qsim.program.attributes import format_to_json
from qsim.program.schemes import encode_scheme
from tests.qsim.program.reference import interpret

if TYPE_CHECKING:
    from pathlib import Path

INT8, INT16 = hw.FixedFormat(8), hw.FixedFormat(16)
OUT = {"output": format_to_json(INT8), "zero_point": 0}
COS, SIN = hw.rotary_tables(3, 4)
CONSTANTS = {"w": np.array([64, -32, 90, 127]), "b": np.array([0, 4000, -9000, 70]),
             "cos": COS, "sin": SIN, "full": np.arange(60, 72).reshape(3, 4)}  # fmt: skip


def scheme(made: Any) -> dict[str, Any]:
    return {"scheme": encode_scheme(made, "s", {})}


NORM = scheme(hw.IntegerNorm.from_scales(4, 0.1, 0.03, 1 / 64))
CALLS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "normed": ("layer_norm", ("x",), {
        **NORM, **OUT, "dims": 1, "clamp": None, "weight": {"constant": "w"},
        "bias": {"constant": "b"}}),
    "turned": ("rotary", ("normed", "cos", "sin"), {
        **scheme(hw.PowerOfTwo(14)), **OUT, "pairing": "half", "x_zero_point": 0}),
    "soft": ("softmax", ("turned",), {
        **scheme(hw.IbertSoftmax.from_scale(0.05)), "axis": -1, "output": OUT["output"]}),
    "grouped": ("group_norm", ("soft",), {
        **scheme(hw.IntegerNorm.from_scales(4, 0.1, 0.03)), **OUT, "groups": 3, "clamp": [-90, 90],
        "weight": None, "bias": None}),
    "curved": ("integer_function", ("grouped",), {
        **scheme(hw.IbertGelu.from_scales(0.03, 0.03)), "output": OUT["output"]}),
    "y": ("rms_norm", ("curved",), {
        **NORM, **OUT, "dims": 2, "x_zero_point": 3, "clamp": None,
        "weight": {"constant": "full"}}),
}  # fmt: skip


def path(**changes: dict[str, Any]) -> Program:
    """Return a Program with one call of every unit."""
    specs = {name: TensorSpec(name, (-1, 3, 4), INT8) for name in ("x", *CALLS)}
    calls = tuple(
        Call(name, "", primitive, inputs, name, {**attributes, **changes.get(name, {})})
        for name, (primitive, inputs, attributes) in CALLS.items()
    )
    return Program("path", ("x",), ("y",), specs, CONSTANTS, calls)


def codes(batch: int) -> np.ndarray:
    return np.random.default_rng(batch).integers(-128, 128, (batch, 3, 4), np.int8)


def test_a_path_of_all_units_is_its_definitions_alone_and_in_a_batch() -> None:
    program, x = path(), codes(5)
    (y,) = program.run(x)
    tensors, books = interpret(program, [x])
    np.testing.assert_array_equal(y, tensors["y"])
    assert len(np.unique(y)) > 8
    np.testing.assert_array_equal(y, np.concatenate([program.run(one[None])[0] for one in x]))
    assert set(books) == set(CALLS)


def network() -> Lowered:
    step = Step("program", "path", ("x",), ("y",), {"program": 0})
    given, made = (ValueSpec(n, (-1, 3, 4), "int8", 0.1, 0, INT8) for n in ("x", "y"))
    return Lowered(qsim.Target.load("tflite"), [given], [made], [step], [path()], model="path")


def test_files_and_golden_sets_keep_every_unit(tmp_path: Path) -> None:
    lowered, x = network(), codes(2)
    (y,) = path().run(x)
    trace = lowered.trace(x)
    _, books = interpret(path(), [x])
    for entry in trace.ledger:
        assert entry.ledger.registers == books[entry.call][1].registers
    save(lowered, tmp_path / "path.qsim")
    np.testing.assert_array_equal(load(tmp_path / "path.qsim")(x), y)
    record(lowered, x, tmp_path / "set")
    assert check(tmp_path / "set").ok


def test_the_stream_computes_what_the_interpreter_does() -> None:
    x, seen = codes(3), []
    (traced,) = path().run(x, trace=lambda call, made, ledger: seen.append(call.name))
    np.testing.assert_array_equal(path().run(x)[0], traced)
    assert seen == list(CALLS)


@pytest.mark.parametrize(
    ("call", "changes", "said"),
    [
        ("normed", {"dims": 3}, "dims must count dimensions of a sample"),
        ("normed", {"weight": {"constant": "cos"}}, "weight must have one value per channel"),
        ("normed", scheme(hw.PowerOfTwo(3)), "accepted kind"),
        ("grouped", {"groups": 2}, "groups must divide the channels"),
        ("turned", {"pairing": "quarter"}, "half"),
        ("turned", {"x_zero_point": 1 << 16}, None),
        ("curved", scheme(hw.IbertExp(hw.Exponential.from_scale(0.1), hw.PowerOfTwo(3), 200)),
         "top must be a code"),
        ("curved", scheme(hw.IbertSoftmax.from_scale(0.1)), "accepted kind"),
        ("y", {"clamp": [3, 2]}, "clamp"),
    ],
)  # fmt: skip
def test_what_a_call_may_not_say(call: str, changes: dict[str, Any], said: str | None) -> None:
    if said is None:
        changes = {**changes, **scheme(hw.FixedPoint(1 << 30, 33))}
        path(**{call: changes})
        return
    with pytest.raises(ModelError, match=said):
        path(**{call: changes})


def test_wide_codes_and_tables_that_a_run_makes_are_bounded() -> None:
    specs = {
        "x": TensorSpec("x", (-1, 3, 4), INT8),
        "cos": TensorSpec("cos", (-1, 3, 2), INT16),
        "sin": TensorSpec("sin", (-1, 3, 2), INT16),
        "y": TensorSpec("y", (-1, 3, 4), INT8),
    }
    attributes = CALLS["turned"][2]
    call = Call("turn", "", "rotary", ("x", "cos", "sin"), "y", attributes)
    program = Program("p", ("x", "cos", "sin"), ("y",), specs, {}, (call,))
    x = codes(2)
    tables = [np.broadcast_to(t, (2, 3, 2)).copy() for t in (COS, SIN)]
    (y,) = program.run(x, *tables)
    np.testing.assert_array_equal(y, hw.rotary(x, COS, SIN, hw.PowerOfTwo(14)))
    wide = {**specs, "cos": TensorSpec("cos", (-1, 3, 2), hw.FixedFormat(32))}
    with pytest.raises(ModelError, match="cos must hold codes of up to 31 bits"):
        Program("p", ("x", "cos", "sin"), ("y",), wide, {}, (call,))
    wide = {**specs, "x": TensorSpec("x", (-1, 3, 4), hw.FixedFormat(17))}
    with pytest.raises(ModelError, match="codes of few bits"):
        Program("p", ("x", "cos", "sin"), ("y",), wide, {}, (call,))

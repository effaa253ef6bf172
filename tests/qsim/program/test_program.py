"""A Program is checked when it is made, and computes what the primitives compute."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import hw_models as hw
from hw_models.activation import clamp
from hw_models.bias_add import bias_add
from hw_models.correlation import correlation
from hw_models.linear import linear
from hw_models.pools.max_pool import max_pool
from hw_models.requantize import requantize
from hw_models.schemes import FixedPoint
from qsim.errors import InputError, ModelError
from qsim.program.program import Call, Program, TensorSpec
from tests.qsim.network import nets as net


def by_hand(x: np.ndarray) -> np.ndarray:
    """The small network, call by call on hw_models."""
    c = net.constants()
    acc = correlation(x, c["conv.weight"], padding=1, x_zero_point=3)
    acc = bias_add(acc, c["conv.bias"])
    y = requantize(acc, FixedPoint(tuple(c["conv.multiplier"]), 38), -2, clamp=(-2, 100))
    y = max_pool(clamp(y, -2, 90), 2)
    flat = y.transpose(0, 2, 3, 1).reshape(len(x), 36)
    acc = linear(flat, c["fc.weight"], x_zero_point=-2)
    return requantize(acc, FixedPoint(tuple(c["fc.multiplier"]), 38), -2, clamp=(-2, 100))


@pytest.mark.parametrize("batch", [0, 1, 5])
def test_computes_what_the_primitives_compute(batch: int) -> None:
    x = net.codes(batch)
    (y,) = net.program().run(x)
    assert y.dtype == np.int8
    assert y.shape == (batch, 5)
    np.testing.assert_array_equal(y, by_hand(x))


def test_memory_order_and_container_of_the_input_do_not_matter() -> None:
    program, x = net.program(), net.codes(4)
    (expected,) = program.run(x)
    for other in (
        np.asfortranarray(x),
        x.astype(np.int64),
        np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
        np.repeat(x, 2, axis=0)[::2],
    ):
        np.testing.assert_array_equal(program.run(other)[0], expected)


def test_batches_are_independent() -> None:
    program, x = net.program(), net.codes(6)
    (whole,) = program.run(x)
    parts = [program.run(x[i : i + 1])[0] for i in range(6)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_tracing_changes_nothing_and_sees_every_call() -> None:
    program, x = net.program(), net.codes()
    seen: dict[str, np.ndarray] = {}
    ledgers: list[hw.Ledger] = []

    def observe(call: Call, array: np.ndarray, ledger: hw.Ledger) -> None:
        seen[call.output] = array
        ledgers.append(ledger)

    (y,) = program.run(x, trace=observe)
    np.testing.assert_array_equal(y, program.run(x)[0])
    np.testing.assert_array_equal(seen["fc"], y)
    assert list(seen) == [call.output for call in program.calls]
    assert all(array.flags.c_contiguous for array in seen.values())
    assert [ledger.elements for ledger in ledgers] == [array.size for array in seen.values()]
    for name, array in seen.items():
        assert array.dtype == program.tensors[name].format.dtype


def test_tensors_are_dropped_at_their_last_use() -> None:
    program = net.program()
    dying = dict(zip([call.name for call in program.calls], program._dying, strict=True))
    assert dying["conv.correlation"] == ("x",)
    assert dying["conv.requantize"] == ("conv.sum",)
    assert dying["fc.requantize"] == ("fc.acc",)
    kept = net.program(outputs=("fc", "conv"))
    assert all("conv" not in names and "fc" not in names for names in kept._dying)


def test_several_outputs_in_order() -> None:
    fc, pool = net.program(outputs=("fc", "pool")).run(net.codes())
    assert fc.shape == (3, 5)
    assert pool.shape == (3, 4, 3, 3)


def test_macs_of_one_sample() -> None:
    program = net.program()
    counts = {call.name: program.macs(call) for call in program.calls}
    assert counts["conv.correlation"] == 4 * 6 * 6 * 2 * 3 * 3
    assert counts["fc.linear"] == 36 * 5
    assert counts["pool.max_pool"] == 0


def test_constants_are_private_copies() -> None:
    mine = net.constants()
    program = net.program(constants=mine)
    (before,) = program.run(net.codes())
    mine["conv.bias"][:] = 0
    np.testing.assert_array_equal(program.run(net.codes())[0], before)
    with pytest.raises(ValueError, match="read-only"):
        program.constants["conv.bias"][0] = 1


# --- what is refused at construction ----------------------------------------------------------


def changed(index: int, **changes: Any) -> tuple[Call, ...]:
    calls = list(net.calls())
    calls[index] = dataclasses.replace(calls[index], **changes)
    return tuple(calls)


def with_attribute(index: int, name: str, value: Any) -> tuple[Call, ...]:
    call = net.calls()[index]
    return changed(index, attributes={**call.attributes, name: value})


def without_attribute(index: int, name: str) -> tuple[Call, ...]:
    call = net.calls()[index]
    return changed(index, attributes={k: v for k, v in call.attributes.items() if k != name})


def with_tensor(name: str, **changes: Any) -> dict[str, TensorSpec]:
    tensors = net.tensors()
    tensors[name] = dataclasses.replace(tensors[name], **changes)
    return tensors


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "call named twice": ({"calls": changed(1, name="conv.correlation")}, "two calls are named"),
    "unknown primitive": ({"calls": changed(0, primitive="eval")}, "primitive must be known"),
    "used before made": ({"calls": (net.calls()[1], *net.calls())}, "made before it is used"),
    "unknown operand": ({"calls": changed(1, inputs=("nope", "conv.bias"))}, "before it is used"),
    "too many operands": ({"calls": changed(3, inputs=("conv", "conv"))}, "wrong operands"),
    "weight is a tensor": ({"calls": changed(7, inputs=("flat", "flat"))}, "must be a constant"),
    "defined twice": ({"calls": changed(3, output="conv")}, "defined twice"),
    "no TensorSpec": ({"calls": changed(3, output="other")}, "no TensorSpec"),
    "unused TensorSpec": (
        {"tensors": net.tensors() | {"spare": net.spec("spare", 2)}},
        "nothing makes the tensor 'spare'",
    ),
    "unknown output": ({"outputs": ("other",)}, "nothing makes the output"),
    "constant as output": ({"outputs": ("conv.bias",)}, "nothing makes the output"),
    "wrong shape": ({"tensors": with_tensor("conv", shape=(-1, 4, 6, 7))}, "must have the shape"),
    "wrong batch": ({"tensors": with_tensor("flat", shape=(3, 36))}, "must have the shape"),
    "wrong format": ({"tensors": with_tensor("conv.acc", format=net.INT8)}, "must have the format"),
    "missing attribute": ({"calls": without_attribute(0, "groups")}, "'groups' is missing"),
    "extra attribute": ({"calls": with_attribute(0, "magic", 1)}, "'magic' is unknown"),
    "stride 0": ({"calls": with_attribute(0, "stride", [0, 1])}, "'stride'"),
    "stride bool": ({"calls": with_attribute(0, "stride", True)}, "'stride'"),
    "stride for 1-D": ({"calls": with_attribute(0, "stride", [1])}, "one value per dimension"),
    "huge padding": ({"calls": with_attribute(0, "padding", 1 << 40)}, "'padding'"),
    "padding pair": ({"calls": with_attribute(0, "padding", [[1, 1, 1], 0])}, "'padding'"),
    "groups": ({"calls": with_attribute(0, "groups", 2)}, "channels must be"),
    "accumulator": (
        {"calls": with_attribute(0, "accumulator", net.ACC | {"bits": 65})},
        "Accumulator.bits",
    ),
    "accumulator key": (
        {"calls": with_attribute(0, "accumulator", net.ACC | {"bit": 1})},
        "'accumulator'",
    ),
    "axis is the batch": ({"calls": with_attribute(1, "axis", 0)}, "axis must be"),
    "bias length": ({"calls": changed(1, inputs=("conv.acc", "fc.weight"))}, "bias must be 1-D"),
    "clamp order": ({"calls": with_attribute(2, "clamp", [5, 4])}, "'clamp'"),
    "clamp out of format": ({"calls": with_attribute(3, "lo", -200)}, "lo and hi must be codes"),
    "scheme kind": ({"calls": with_attribute(2, "scheme", {"kind": "os"})}, "scheme"),
    "scheme of an adder": (
        {"calls": with_attribute(2, "scheme", {"kind": "accumulator", **net.ACC})},
        "accepted kind",
    ),
    "scheme parameter": (
        {
            "calls": with_attribute(
                2, "scheme", net.FIXED | {"multiplier": 1 << 31, "right_shift": 38}
            )
        },
        "FixedPoint.multiplier",
    ),
    "scheme constant": (
        {
            "calls": with_attribute(
                2, "scheme", net.FIXED | {"multiplier": {"constant": "no"}, "right_shift": 38}
            )
        },
        "constant of this program",
    ),
    "reshape": ({"calls": with_attribute(6, "shape", [0, 35])}, "same elements"),
    "reshape two -1": ({"calls": with_attribute(6, "shape", [-1, -1])}, "same elements"),
    "reshape drops batch": ({"calls": with_attribute(6, "shape", [36, -1])}, "keep the batch"),
    "permute batch": ({"calls": with_attribute(5, "dims", [1, 0, 2, 3])}, "batch in front"),
    "permute twice": ({"calls": with_attribute(5, "dims", [0, 1, 1, 3])}, "permutation"),
    "pool padding": ({"calls": with_attribute(4, "padding", [2, 2])}, "half the kernel"),
    "kernel too large": ({"calls": with_attribute(4, "kernel", [7, 7])}, "must fit"),
    "float weight": (
        {"constants": net.constants() | {"fc.weight": np.ones((5, 36), np.float32)}},
        "must hold integers",
    ),
    "input twice": ({"inputs": ("x", "x")}, "defined twice"),
    "list for names": ({"inputs": "x"}, "list of names"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses(case: str) -> None:
    changes, message = REFUSED[case]
    with pytest.raises(ModelError, match=message) as caught:
        net.program(**changes)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"name": ""}, "must be a name"),
        ({"name": "a\nb"}, "must be a name"),
        ({"shape": (0, 3)}, "shape must hold sizes"),
        ({"shape": (3, -1)}, "shape must hold sizes"),
        ({"shape": (True,)}, "shape must hold sizes"),
        ({"shape": (-1, 1 << 20, 1 << 20)}, "too many elements"),
        ({"shape": (1,) * 9}, "list of sizes"),
        ({"scale": 0.0}, "scale must be"),
        ({"scale": float("nan")}, "scale must be"),
        ({"zero_point": 200}, "zero_point must be a code"),
        ({"format": "int8"}, "must be a FixedFormat"),
    ],
)
def test_tensor_spec_refuses(parts: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"name": "x", "shape": (-1, 3), "format": net.INT8}
    with pytest.raises(ModelError, match=message):
        TensorSpec(**(good | parts))


def test_attributes_are_plain_json() -> None:
    call = Call("c", "", "clamp", ("x",), "y", {"lo": np.int64(-3), "pair": (1, (2, 3))})
    assert call.attributes == {"lo": -3, "pair": [1, [2, 3]]}
    assert type(call.attributes["lo"]) is int
    for value in (float("nan"), 1 << 64, object(), {1: 2}, b"x", np.zeros(2)):
        with pytest.raises(ModelError, match="attribute"):
            Call("c", "", "clamp", ("x",), "y", {"lo": value})


# --- what is refused at run time ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (net.codes().astype(np.float32), "dtype must be an integer, not float32"),
        ([[1]], "dtype must be an integer, not list"),
        (net.codes()[:, :1], r"shape must be \[N, 2, 6, 6\], not \[3, 1, 6, 6\]"),
        (net.codes()[0], r"not \[2, 6, 6\]"),
        (np.zeros((2, 2, 6, 6), bool), "dtype must be an integer, not bool"),
    ],
)
def test_refuses_inputs(array: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        net.program().run(array)
    assert caught.value.where == "input 'x'"


def test_what_was_taken_once_lets_nothing_else_in() -> None:
    """Kinds of arrays that passed the checks are known: shape, dtype and class together."""
    program, x = net.program(), net.codes(1)
    (expected,) = program.run(x)
    wide = x.astype(np.int16)
    wide[0, 0, 0, 0] = 128
    duck = SimpleNamespace(shape=x.shape, dtype=x.dtype)
    torn: Any = SimpleNamespace(shape=[], dtype=[])
    for refused in (x[0], x[:, :1], x.astype(np.float32), wide, x.tolist(), x[0, 0, 0, 0],
                    torch.from_numpy(x), duck, torn, np.zeros((1, 2, 6, 7), np.int8)):  # fmt: skip
        with pytest.raises(InputError) as fresh:
            net.program().run(refused)
        for _ in range(2):
            with pytest.raises(InputError) as known:
                program.run(refused)
            assert str(known.value) == str(fresh.value)
    with pytest.raises(InputError, match="takes 1 arrays, not 0"):
        program.run()
    for same in (x, x.astype(">i2"), x.astype("<i2"), x.astype(np.uint64) % 100, x.view(Codes)):
        wanted = expected if same.dtype.kind == "i" else by_hand(np.asarray(same, np.int8))
        for _ in range(2):
            np.testing.assert_array_equal(program.run(same)[0], wanted)
    assert set(program._known) == {((x.shape, x.dtype),)}


class Codes(np.ndarray):
    """An array of another class."""


def test_codes_narrower_than_their_container_are_looked_at_each_time() -> None:
    spec = TensorSpec("x", (-1, 4), hw.FixedFormat(4))
    call = Call("c", "", "clamp", ("x",), "y", {"lo": -3, "hi": 3})
    tensors = {"x": spec, "y": dataclasses.replace(spec, name="y")}
    program = Program("p", ("x",), ("y",), tensors, {}, (call,))
    x = np.array([[-8, 7, 0, 1]], np.int8)
    for _ in range(2):
        assert program.run(x)[0].tolist() == [[-3, 3, 0, 1]]
        with pytest.raises(InputError, match=r"8 at index \[0, 1\] is outside"):
            program.run(x + np.array([0, 1, 0, 0], np.int8))


@pytest.mark.parametrize(("value", "dtype"), [(128, np.int16), (-129, np.int32), (255, np.uint8)])
def test_names_the_first_code_out_of_its_format(value: int, dtype: type) -> None:
    x = np.zeros((2, 2, 6, 6), dtype)
    x[1, 0, 2, 3] = value
    x[1, 1, 0, 0] = value
    with pytest.raises(InputError, match=rf"{value} at index \[1, 0, 2, 3\] is outside") as caught:
        net.program().run(x)
    assert caught.value.accepted == "-128..127"


def test_refuses_a_wrong_count() -> None:
    with pytest.raises(InputError, match="takes 1 arrays, not 2"):
        net.program().run(net.codes(), net.codes())


def test_an_error_accumulator_names_its_call() -> None:
    calls = with_attribute(0, "accumulator", {"bits": 12, "overflow": "error"})
    tensors = with_tensor("conv.acc", format=hw.FixedFormat(12))
    with pytest.raises(InputError, match="overflow") as caught:
        net.program(calls=calls, tensors=tensors).run(net.codes())
    assert caught.value.where == "call 'conv.correlation' (correlation)"


def test_batches_of_two_inputs_must_agree() -> None:
    spec_a, spec_b = net.spec("a", 3, 4), net.spec("b", 4, 2)
    out = TensorSpec("y", (-1, 3, 2), net.INT32)
    call = Call(
        "m", "", "matmul", ("a", "b"), "y",
        {"a_zero_point": 0, "b_zero_point": 0, "accumulator": net.ACC},
    )  # fmt: skip
    program = Program("p", ("a", "b"), ("y",), {"a": spec_a, "b": spec_b, "y": out}, {}, (call,))
    a, b = np.ones((2, 3, 4), np.int8), np.ones((2, 4, 2), np.int8)
    np.testing.assert_array_equal(program.run(a, b)[0], np.full((2, 3, 2), 4))
    with pytest.raises(InputError, match="batch size"):
        program.run(a, b[:1])


def test_programs_made_of_one_another_share_constants_and_nobody_elses() -> None:
    program = net.program()
    given = np.array(program.constants["conv.weight"])
    first = dataclasses.replace(program, constants={**program.constants, "conv.weight": given})
    again = dataclasses.replace(first)
    assert again.constants["conv.weight"] is first.constants["conv.weight"]
    given.setflags(write=False)
    other = dataclasses.replace(first, constants={**program.constants, "conv.weight": given})
    assert other.constants["conv.weight"] is not given
    assert first.constants["conv.weight"] is not given

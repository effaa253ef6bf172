"""Programs of one element-wise call: what is inferred is what is computed; refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hw_models as hw
from qsim.errors import ModelError
from qsim.golden.case import Case
from qsim.golden.single import compute
from qsim.program.primitives import PRIMITIVES
from qsim.program.program import Call, Program, TensorSpec
from qsim.program.schemes import decode_scheme, encode_scheme
from tests.qsim.network import nets as net

OUT16 = {"bits": 16, "signed": True, "narrow": False}
INT4 = hw.FixedFormat(4)


def operand(name: str, array: np.ndarray, form: hw.FixedFormat, batch: bool) -> TensorSpec:
    return TensorSpec(name, (-1, *array.shape[1:]) if batch else array.shape, form)


def single(
    primitive: str,
    arrays: list[np.ndarray],
    attributes: dict[str, Any],
    constants: dict[str, np.ndarray] | None = None,
    formats: list[hw.FixedFormat] | None = None,
    *,
    batch: bool = True,
) -> np.ndarray:
    """Run one call; every array but the constants' is an input with a symbolic batch."""
    held = dict(constants or {})
    names = [f"x{i}" for i in range(len(arrays))]
    forms = formats or [net.INT8] * len(arrays)
    specs = {n: operand(n, a, f, batch) for n, a, f in zip(names, arrays, forms, strict=True)}
    inputs = (*names, *(name for name in held if name.startswith("operand")))
    probe = Program("p", tuple(names), tuple(names), specs, held, ())
    call = Call("call", "", primitive, inputs, "y", attributes)
    shape, made = PRIMITIVES[primitive].infer(probe.operands(call), call.attributes)
    tensors = {**specs, "y": TensorSpec("y", shape, made)}
    program = Program("p", tuple(names), ("y",), tensors, held, (call,))
    (y,) = program.run(*arrays)
    assert y.dtype == made.dtype
    assert y.shape == tuple(arrays[0].shape[0] if size == -1 else size for size in shape)
    traced: list[hw.Ledger] = []
    program.run(*arrays, trace=lambda call, result, ledger: traced.append(ledger))
    assert traced[0].elements == y.size
    assert traced[0].kernel
    return y


def codes(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)


def points(**more: Any) -> dict[str, Any]:
    return {"zero_point": 4, "output": net.OUT, "clamp": [-100, 100], **more}


PAIR = {"a_zero_point": 1, "b_zero_point": -2}


@pytest.mark.parametrize(
    "scheme",
    [
        hw.ShiftedAdd.from_scales(0.1, 0.2, 0.05),
        hw.AlignedAdd.from_fractions(4, 5, 3),
        hw.MultiplierAdd.from_scales(0.1, 0.2, 0.05),
        hw.FloatAdd(0.1, 0.2, 0.05),
    ],
    ids=lambda s: type(s).__name__,
)
@pytest.mark.parametrize("negate", ["term", "operand"])
def test_sub(scheme: Any, negate: Any) -> None:
    a, b = codes(3, 4, 5), codes(3, 1, 5, seed=1)
    attributes = points(scheme=encode_scheme(scheme, "s", {}), negate=negate, **PAIR)
    y = single("sub", [a, b], attributes)
    expected = hw.sub(a, b, scheme, 1, -2, 4, clamp=(-100, 100), negate=negate)
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize(
    "scheme",
    [
        hw.FixedPoint.from_scale(0.01),
        hw.FixedPoint((1 << 30, 1 << 29, 1 << 28, 7), 36),
        hw.PowerOfTwo(6),
        hw.FloatScale(0.02),
    ],
    ids=repr,
)
def test_mul(scheme: Any) -> None:
    a, b = codes(3, 4, 5), codes(4, 1, seed=1)
    constants: dict[str, np.ndarray] = {"operand": b}
    attributes = points(scheme=encode_scheme(scheme, "s", constants), axis=1, **PAIR)
    y = single("mul", [a], attributes, constants)
    np.testing.assert_array_equal(y, hw.mul(a, b, scheme, 1, -2, 4, clamp=(-100, 100)))


def test_extremes_with_a_constant_and_in_other_containers() -> None:
    a, b = codes(2, 3), codes(2, 3, seed=1)
    np.testing.assert_array_equal(single("minimum", [a, b], {}), np.minimum(a, b))
    np.testing.assert_array_equal(single("maximum", [a.astype(np.int64), b], {}), np.maximum(a, b))
    small = a >> 4
    got = single("maximum", [small], {}, {"operand": np.array([3], np.int64)}, [INT4])
    np.testing.assert_array_equal(got, np.maximum(small, 3))


def test_shift_right() -> None:
    x = codes(2, 3)
    y = single("shift_right", [x], {"rounding": "half_up", "output": OUT16},
               {"operand": np.array([0, 1, -3])})  # fmt: skip
    np.testing.assert_array_equal(y, hw.shift_right(x, [0, 1, -3], "half_up", hw.FixedFormat(16)))
    amounts = np.abs(codes(2, 3, seed=1)) >> 5
    y = single("shift_right", [x, amounts], {"rounding": "floor", "output": net.OUT})
    np.testing.assert_array_equal(y, x >> amounts)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(
    "scheme", [hw.Division("half_even"), hw.over_count(hw.FixedPoint.from_scale(0.9), 20)], ids=repr
)
def test_mean(scheme: Any, keepdims: bool) -> None:
    x = codes(2, 3, 4, 5)
    document = encode_scheme(scheme, "s", {})
    assert decode_scheme(document, {}) == scheme
    attributes = points(scheme=document, axes=[2, -1], keepdims=keepdims, x_zero_point=7)
    y = single("mean", [x], attributes)
    expected = hw.mean(x, (2, 3), scheme, 7, 4, clamp=(-100, 100), keepdims=keepdims)
    np.testing.assert_array_equal(y, expected)
    assert single("mean", [x], attributes | {"axes": [0, 1, 2, 3]}, batch=False).size == 1


@pytest.mark.parametrize("keepdims", [False, True])
def test_argmax(keepdims: bool) -> None:
    x = codes(3, 4, 5) >> 5
    output = {"bits": 32, "signed": True, "narrow": False}
    y = single("argmax", [x], {"axis": -1, "keepdims": keepdims, "output": output})
    np.testing.assert_array_equal(y, np.argmax(x, -1, keepdims=keepdims))
    asked = {"axis": -1, "keepdims": keepdims, "output": output, "last": True}
    last = 4 - np.argmax(x[..., ::-1], -1, keepdims=keepdims)
    np.testing.assert_array_equal(single("argmax", [x], asked), last)
    assert (last != y).any()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_concat_of_any_number(count: int) -> None:
    parts = [codes(2, n + 1, 3, seed=n) for n in range(count)]
    schemes = [None if n % 2 else hw.FixedPoint.from_scale(0.3 + n) for n in range(count)]
    zeros = list(range(count))
    attributes = {
        "axis": 1,
        "schemes": [None if s is None else encode_scheme(s, "s", {}) for s in schemes],
        "zero_points": zeros, "zero_point": -4, "output": net.OUT,
    }  # fmt: skip
    y = single("concat", parts, attributes)
    np.testing.assert_array_equal(y, hw.concat(parts, 1, schemes, zeros, -4))
    case = Case(
        "c", "", "concat", attributes, {f"x{i}": part for i, part in enumerate(parts)}, {},
        {**{f"x{i}": net.INT8 for i in range(count)}, "output": net.INT8}, y,
    )  # fmt: skip
    np.testing.assert_array_equal(compute(case), y)
    with pytest.raises(ModelError, match="operands must be the primitive's"):
        Case("c", "", "concat", attributes, {"y": parts[0]}, {}, {}, y)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
def test_pad(mode: Any) -> None:
    x = codes(2, 3, 4)
    attributes = {"pads": [[0, 0], [2, 1], [0, 3]], "value": -9, "mode": mode}
    expected = hw.pad(x, [(0, 0), (2, 1), (0, 3)], -9, mode)
    np.testing.assert_array_equal(single("pad", [x], attributes), expected)
    np.testing.assert_array_equal(single("pad", [x.astype(np.int64)], attributes), expected)


ONE = encode_scheme(hw.PowerOfTwo(1), "s", {})
TWO = {"kind": "power_of_two", "right_shift": {"constant": "k"}, "rounding": "floor", "seed": 0}
SUM = encode_scheme(hw.FloatAdd(1, 1, 1), "s", {})
JOIN = {"axis": 1, "schemes": [None, None], "zero_points": [0, 0], "zero_point": 0,
        "output": net.OUT}  # fmt: skip
MEAN = points(scheme=ONE, axes=[1], keepdims=False, x_zero_point=0)
PAD = {"pads": [[0, 0], [1, 1], [0, 0]], "value": 0, "mode": "constant"}
ARG = {"axis": 1, "keepdims": False, "output": net.OUT}


@pytest.mark.parametrize(
    ("primitive", "attributes", "match"),
    [
        ("sub", points(scheme=ONE, negate="term", **PAIR), "accepted kind"),
        ("sub", points(scheme=SUM, negate="b", **PAIR), "one of its names"),
        ("mul", points(scheme=SUM, axis=1, **PAIR), "accepted kind"),
        ("mul", points(scheme=TWO, axis=0, **PAIR), "axis must be a dimension"),
        ("mul", points(scheme=TWO, axis=1, **PAIR), "one value per channel"),
        ("shift_right", {"rounding": "stochastic", "output": net.OUT}, "one of its names"),
        ("mean", MEAN | {"scheme": SUM}, "accepted kind"),
        ("mean", MEAN | {"scheme": TWO}, "per tensor"),
        ("mean", MEAN | {"axes": [0]}, "leave the batch alone"),
        ("mean", MEAN | {"axes": [1, -2]}, "must be different"),
        ("mean", MEAN | {"axes": []}, "dimensions of the operand"),
        ("mean", MEAN | {"axes": [3]}, "dimensions of the operand"),
        ("argmax", ARG | {"axis": 0}, "leave the batch alone"),
        ("argmax", ARG | {"output": {"bits": 2, "signed": True, "narrow": False}}, "last position"),
        ("concat", JOIN | {"axis": 0}, "not the batch"),
        ("concat", JOIN | {"schemes": [None]}, "schemes must have one entry"),
        ("concat", JOIN | {"zero_points": []}, "one entry per operand"),
        ("concat", JOIN | {"schemes": [TWO, None]}, "per tensor"),
        ("concat", JOIN | {"schemes": [SUM, None]}, "accepted kind"),
        ("concat", JOIN | {"output": {"bits": 7, "signed": True, "narrow": False}}, "to be copied"),
        ("pad", PAD | {"pads": [[1, 0], [0, 0], [0, 0]]}, "leave the batch alone"),
        ("pad", PAD | {"pads": [[0, 0]]}, "one pair per dimension"),
        ("pad", PAD | {"pads": [[0, 0], [1], [0, 0]]}, "before, after"),
        ("pad", PAD | {"value": 128}, "value must be a code"),
        ("pad", PAD | {"mode": "reflect", "pads": [[0, 0], [0, 3], [0, 0]]}, "exceed"),
        ("pad", PAD | {"mode": "wrap"}, "one of its names"),
    ],
)
def test_refusals(primitive: str, attributes: dict[str, Any], match: str) -> None:
    arrays = [codes(2, 3, 4)] * (1 if primitive in ("mean", "argmax", "pad") else 2)
    names = ["x0", "x1"][: len(arrays)]
    specs = {name: operand(name, arrays[0], net.INT8, True) for name in names}
    specs["y"] = TensorSpec("y", (-1, 3, 4), net.INT8)
    call = Call("call", "", primitive, tuple(names), "y", attributes)
    constants = {"k": np.array([1, 2])}
    with pytest.raises(ModelError, match=match):
        # Prepared, too: the length of a scheme per channel is looked at there.
        Program("p", tuple(names), ("y",), specs, constants, (call,)).run(*arrays)


@pytest.mark.parametrize(
    ("primitive", "attributes", "shapes", "match"),
    [
        ("minimum", {}, ((2, 3), (2, 4)), "broadcast"),
        ("concat", JOIN, ((2, 3), (2, 3, 1)), "one shape but along axis"),
        ("concat", JOIN | {"schemes": [None] * 65, "zero_points": [0] * 65}, ((2, 3),), "must be"),
        ("minimum", {}, ((2, 3),), "wrong operands"),
    ],
)
def test_refused_operands(
    primitive: str, attributes: dict[str, Any], shapes: tuple[tuple[int, ...], ...], match: str
) -> None:
    names = [f"x{i}" for i in range(len(shapes))]
    specs = {n: TensorSpec(n, s, net.INT8) for n, s in zip(names, shapes, strict=True)}
    specs["y"] = TensorSpec("y", (2, 3), net.INT8)
    with pytest.raises(ModelError, match=match):
        Program("p", tuple(names), ("y",), specs, {},
                (Call("call", "", primitive, tuple(names), "y", attributes),))  # fmt: skip


def test_extremes_need_one_format() -> None:
    specs = {
        "a": TensorSpec("a", (-1, 2), net.INT8),
        "b": TensorSpec("b", (-1, 2), INT4),
        "y": TensorSpec("y", (-1, 2), net.INT8),
    }
    call = Call("c", "", "minimum", ("a", "b"), "y", {})
    with pytest.raises(ModelError, match="one format"):
        Program("p", ("a", "b"), ("y",), specs, {}, (call,))

"""The shapes that Programs infer are those that torch and hw_models make."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import hw_models as hw
from hw_models.add import AlignedAdd, FloatAdd, MultiplierAdd, ShiftedAdd
from hw_models.schemes import FixedPoint, FloatScale, PowerOfTwo
from qsim.errors import ModelError
from qsim.program import shapes
from qsim.program.primitives import PRIMITIVES
from qsim.program.program import Call, Program, TensorSpec
from qsim.program.schemes import decode_scheme, encode_scheme
from tests.qsim.network import nets as net


def single(
    primitive: str,
    x: np.ndarray,
    attributes: dict[str, Any],
    *,
    constant: np.ndarray | None = None,
    constants: dict[str, np.ndarray] | None = None,
    codes: hw.FixedFormat = net.INT8,
    output: hw.FixedFormat = net.INT8,
) -> np.ndarray:
    """Run one call on x, with the output spec that its binding infers."""
    held = dict(constants or {})
    inputs: tuple[str, ...] = ("x",)
    if constant is not None:
        held["c"] = constant
        inputs = ("x", "c")
    source = TensorSpec("x", (-1, *x.shape[1:]), codes)
    probe = Program("p", ("x",), ("x",), {"x": source}, held, ())
    call = Call("call", "", primitive, inputs, "y", attributes)
    shape, made = PRIMITIVES[primitive].infer(probe.operands(call), call.attributes)
    assert made == output
    spec = TensorSpec("y", shape, made)
    program = Program("p", ("x",), ("y",), {"x": source, "y": spec}, held, (call,))
    (y,) = program.run(x)
    assert y.shape[1:] == shape[1:]
    assert y.dtype == made.dtype
    return y


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    st.integers(1, 12), st.integers(1, 5), st.integers(1, 4), st.integers(0, 3), st.integers(0, 3),
    st.integers(1, 3),
)  # fmt: skip
def test_windows_are_those_of_torch(
    size: int, kernel: int, stride: int, before: int, after: int, dilation: int
) -> None:
    x = torch.nn.functional.pad(torch.ones(1, 1, size), (before, after))
    span = dilation * (kernel - 1) + 1
    if span > x.shape[2]:
        with pytest.raises(ModelError, match="must fit"):
            shapes.windows(size, kernel, stride, (before, after), dilation)
        return
    y = torch.nn.functional.conv1d(x, torch.ones(1, 1, kernel), stride=stride, dilation=dilation)
    assert shapes.windows(size, kernel, stride, (before, after), dilation) == y.shape[2]


@settings(deadline=None, max_examples=80, derandomize=True)
@given(
    st.integers(1, 12), st.integers(1, 5), st.integers(1, 5), st.integers(0, 2), st.booleans(),
    st.integers(1, 2),
)  # fmt: skip
def test_pooling_windows_are_those_of_torch(
    size: int, kernel: int, stride: int, pad: int, ceil: bool, dilation: int
) -> None:
    if pad * 2 > kernel or dilation * (kernel - 1) + 1 > size + 2 * pad:
        return
    y = torch.nn.functional.max_pool1d(
        torch.ones(1, 1, size), kernel, stride, pad, dilation, ceil_mode=ceil
    )
    x = np.random.default_rng(size).integers(-128, 128, (2, 1, size)).astype(np.int8)
    attributes = {
        "kernel": [kernel], "stride": [stride], "padding": [pad], "dilation": [dilation],
        "ceil_mode": ceil,
    }  # fmt: skip
    starts = [i * stride - pad for i in range(y.shape[2])]
    if not all(any(0 <= s + dilation * k < size for k in range(kernel)) for s in starts):
        with pytest.raises(ModelError, match="every window must cover"):
            single("max_pool", x, attributes)
        return
    ours = single("max_pool", x, attributes)
    real = torch.nn.functional.max_pool1d(
        torch.from_numpy(x.astype(np.float32)), kernel, stride, pad, dilation, ceil_mode=ceil
    )
    assert ours.shape[2] == y.shape[2]
    np.testing.assert_array_equal(ours, real.numpy().astype(np.int8))


@pytest.mark.parametrize("count_include_pad", [False, True])
def test_avg_pool(count_include_pad: bool) -> None:
    x = net.codes(2)
    attributes: dict[str, Any] = {
        "kernel": None, "stride": None, "padding": 0, "rounding": "half_away",
        "count_include_pad": count_include_pad, "ceil_mode": False, "zero_point": 1,
    }  # fmt: skip
    y = single("avg_pool", x, attributes)
    sums = x.astype(np.int64).sum(axis=(2, 3), keepdims=True)
    away = np.sign(sums) * ((2 * np.abs(sums) + 36) // 72)
    np.testing.assert_array_equal(y, away)
    explicit = attributes | {"kernel": [6, 6], "output": net.OUT}
    np.testing.assert_array_equal(single("avg_pool", x, explicit), y)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((-1, 3, 4), (-1, 4, 5), (-1, 3, 5)),
        ((-1, 4), (4, 5), (-1, 5)),
        ((-1, 2, 3, 4), (4, 5), (-1, 2, 3, 5)),
        ((2, 3, 4), (1, 4, 5), (2, 3, 5)),
        ((3, 4), (-1, 4, 5), (-1, 3, 5)),
    ],
)
def test_matmul_shapes(a: tuple[int, ...], b: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert shapes.matmul(a, b) == expected
    batch = [7 if size == -1 else size for size in a], [7 if size == -1 else size for size in b]
    real = np.matmul(np.zeros(batch[0]), np.zeros(batch[1])).shape
    assert tuple(7 if size == -1 else size for size in expected) == real


@pytest.mark.parametrize(
    ("a", "b"),
    [((4,), (4, 5)), ((3, 4), (5, 4)), ((3, 4), (4, -1)), ((-1, 3, 4), (2, 4, 5)),
     ((2, -1, 4), (2, 4, 5)), ((4, -1), (-1, 3)), ((-1, 4), (-1, 4, 3)),
     ((-1, 3, 4), (2, -1, 4, 5))],
)  # fmt: skip
def test_matmul_refuses(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    with pytest.raises(ModelError):
        shapes.matmul(a, b)


@pytest.mark.parametrize(
    ("x", "wanted", "expected"),
    [
        ((-1, 4, 6), [0, 24], (-1, 24)),
        ((-1, 4, 6), [-1, 24], (-1, 24)),
        ((-1, 4, 6), [0, -1, 8], (-1, 3, 8)),
        ((5, 4), [0, 2, 2], (5, 2, 2)),
        ((5, 4), [20], (20,)),
        ((5, 4), [2, -1], (2, 10)),
    ],
)
def test_reshape(x: tuple[int, ...], wanted: list[int], expected: tuple[int, ...]) -> None:
    assert shapes.reshape(x, wanted) == expected


SCHEMES = [
    FixedPoint(1 << 30, 38),
    FixedPoint((1 << 30, 3, -5), (38, 31, 40), "single"),
    FixedPoint((7, 9), 20, "double", 16),
    PowerOfTwo(3, "half_away"),
    PowerOfTwo((3, -2), "stochastic", (1 << 64) - 1),
    FloatScale(0.1),
    FloatScale((0.1, 3e-38)),
    ShiftedAdd.from_scales(0.1, 0.2, 0.05),
    AlignedAdd.from_fractions(4, 5, 3),
    MultiplierAdd.from_scales(0.1, 0.2, 0.05),
    FloatAdd(0.1, 0.2, 0.05),
]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: type(s).__name__)
def test_schemes_survive_json(scheme: Any) -> None:
    constants: dict[str, np.ndarray] = {}
    document = encode_scheme(scheme, "layer.scheme", constants)
    assert decode_scheme(document, constants) == scheme
    assert all(name.startswith("layer.scheme.") for name in constants)


@pytest.mark.parametrize("scheme", SCHEMES[7:], ids=lambda s: type(s).__name__)
def test_add_runs_every_scheme(scheme: Any) -> None:
    constants: dict[str, np.ndarray] = {}
    attributes = {
        "scheme": encode_scheme(scheme, "s", constants), "a_zero_point": 0, "b_zero_point": 0,
        "zero_point": 0, "output": net.OUT, "clamp": [0, 100],
    }  # fmt: skip
    x = net.codes(2)
    y = single("add", x, attributes, constant=x[0], constants=constants)
    expected = hw.add(x, x[:1], scheme, clamp=(0, 100)) if hasattr(hw, "add") else None
    assert y.min() == 0
    assert expected is None or np.array_equal(y, expected)


def test_zero_points_per_channel_are_constants() -> None:
    points = np.array([1, -3, 0, 7], np.int32)
    weight = net.constants()["conv.weight"]
    call = net.correlation(weight_zero_point={"constant": "points"})
    y = single(
        "correlation", net.codes(), dict(call.attributes), constant=weight,
        constants={"points": points}, output=net.INT32,
    )  # fmt: skip
    from hw_models.correlation import correlation

    expected = correlation(net.codes(), weight, padding=1, x_zero_point=3, weight_zero_point=points)
    np.testing.assert_array_equal(y, expected)

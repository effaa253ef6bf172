"""Correlation, bias, requantize and clamp, as the command stream computes them in one command.

One scheme for each mode of its vector arithmetic. Biases put ties, their neighbours and the ends of
the codes' range next to the sums.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hw_models import (
    Accumulator,
    FixedFormat,
    FixedPoint,
    FloatScale,
    PowerOfTwo,
)
from hw_models.bias_add import reference as add_bias
from hw_models.correlation import reference as correlate
from hw_models.requantize import reference as requantize
from qsim.program import Call, Program, TensorSpec
from qsim.selftest import sums
from qsim.selftest.scalings import requantizing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hw_models import Requantizer
    from hw_models.rounding import DeterministicRounding
    from qsim.program import Array

_ACC: Final = Accumulator(32, "wrap")
_OUTPUTS: Final = 84
_SHIFT: Final = 9
_ROUNDINGS: Final[tuple[DeterministicRounding, ...]] = (
    *("half_up", "half_away", "half_even", "half_odd", "jam", "floor"),
)
# The channels' positions within blocks of 64 and 32 outputs.
_PLAIN: Final = sums.Shape(FixedFormat(8), FixedFormat(8), 4, (1, 3), _OUTPUTS, (1, 1))
_DEPTHWISE: Final = sums.Shape(
    FixedFormat(8), FixedFormat(8), 20, (2, 4), 20, (2, 2), groups=20, x_zero_point=-5
)


def _schemes(channels: int) -> dict[str, Requantizer]:
    scale = tuple(np.linspace(1e-3, 1e-2, channels).tolist())
    made: dict[str, Requantizer] = {
        "double": FixedPoint.from_scale(scale),
        "single": FixedPoint.from_scale(scale, rounding="single"),
        "double-low": FixedPoint((-(1 << 30) - 5,) * channels, (41,) * channels),
        "float": FloatScale(scale),
    }
    for rounding in _ROUNDINGS:
        made[rounding] = PowerOfTwo((_SHIFT,) * channels, rounding)
    return made


def vectors(*, reduced: bool) -> Iterator[sums.Vector]:
    """Give name, Program, input and expected codes of every chain."""
    for number, shape in enumerate((_PLAIN, _DEPTHWISE)):
        x, weight = sums.operands(shape)
        exact = correlate(x, weight, **shape.keywords, accumulator=_ACC)
        rng = random.Random(number)  # noqa: S311 - reproducible vectors
        bias = [_bias(o, rng) for o in range(shape.outputs)]
        for name, scheme in list(_schemes(shape.outputs).items())[:: 4 if reduced else 1]:
            signed = name != "half_even"
            output = FixedFormat(8, signed)
            zero, clamp = (-3, (-120, 100)) if signed else (7, None)
            expected = np.empty(exact.shape, output.dtype)
            for index in np.ndindex(exact.shape):
                total = add_bias(int(exact[index]), bias[index[1]], _ACC)
                expected[index] = requantize(total, scheme, zero, output, clamp, channel=index[1])
            program = _program(shape, weight, bias, scheme, (zero, output, clamp), exact.shape)
            kind = "depthwise" if number else "products"
            yield f"chain.{kind}.{name}", program, x, expected


def _bias(channel: int, rng: random.Random) -> int:
    """Return what moves sums to ties of a shift by 9 and beside them, to the ends, or anywhere."""
    half = 1 << (_SHIFT - 1)
    near = (half, half - 1, half + 1, -half, -half - 1, -half + 1, 0, half << 8, -(half << 8))
    if channel % 2:
        return near[channel // 2 % len(near)]
    return rng.randint(-100_000, 100_000)


def _program(
    shape: sums.Shape,
    weight: Array,
    bias: list[int],
    scheme: Requantizer,
    code: tuple[int, FixedFormat, tuple[int, int] | None],
    sizes: tuple[int, ...],
) -> Program:
    constants: dict[str, Array] = {"w": weight, "b": np.array(bias, np.int32)}
    adding: dict[str, Any] = {"axis": 1, "accumulator": {"bits": 32, "overflow": "wrap"}}
    tensors = {
        "x": TensorSpec("x", (shape.images, shape.channels, *shape.size), shape.x),
        "acc": TensorSpec("acc", sizes, _ACC.format),
        "sum": TensorSpec("sum", sizes, _ACC.format),
        "y": TensorSpec("y", sizes, code[1]),
    }
    calls = (
        sums.call(shape, "acc"),
        Call("bias_add", "", "bias_add", ("acc", "b"), "sum", adding),
        requantizing(scheme, code, "sum", constants),
    )
    return Program("chain", ("x",), ("y",), tensors, constants, calls)

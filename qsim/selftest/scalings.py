"""Requantize under every kind of scheme: ties and their neighbours, ends of codes and registers."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hw_models import (
    Converter,
    FixedFormat,
    FixedPoint,
    Float64Scale,
    FloatScale,
    MulAddShift,
    PowerOfTwo,
)
from hw_models.requantize import reference
from hw_models.rounding import DETERMINISTIC
from qsim.program import Call, Program, TensorSpec, encode_scheme, format_to_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hw_models import Requantizer
    from qsim.program import Array
    from qsim.selftest.sums import Vector

_CHANNELS: Final = 20
_SHIFTS: Final = (9, 1, 0, 16, 23)
_CODES: Final = (
    ("", FixedFormat(8), -3, (-120, 100)),
    (" to uint8", FixedFormat(8, False), 128, None),
    (" to 16 bits", FixedFormat(16), 0, None),
)


def _schemes() -> Iterator[tuple[str, Requantizer, int]]:
    """Give a name, a scheme, and how many low bits of an accumulator it takes off, about."""
    halves = (1 << 30,) * _CHANNELS  # times 2**30: shifts in effect, so that ties are met
    mixed = tuple((1 << 30) + 77_777 * c for c in range(_CHANNELS))
    for rounding in ("double", "single", "double-half-up", "s64-reduced"):
        yield f"fixed point, {rounding}", FixedPoint(halves, (39,) * _CHANNELS, rounding), 9
        yield f"fixed point, {rounding}, mixed", FixedPoint(mixed, (40,) * _CHANNELS, rounding), 10
    minus = tuple(-m if c % 2 else m for c, m in enumerate(mixed))
    yield "fixed point, both signs", FixedPoint(minus, (40,) * _CHANNELS, "single"), 10
    for rounding in DETERMINISTIC:
        for shift in _SHIFTS:
            if shift or rounding != "jam":
                name = f"power of two, {rounding}, {shift}"
                yield name, PowerOfTwo((shift,) * _CHANNELS, rounding), shift
    scale = tuple(2.0**-9 * (1 + c / 32) for c in range(_CHANNELS))
    yield "float scale", FloatScale(scale), 9
    yield "float64 scale", Float64Scale(scale), 9
    small = tuple(range(3, 3 + _CHANNELS))
    addends = tuple(100 - 9 * c for c in range(_CHANNELS))
    yield "multiply, add, shift", MulAddShift(small, addends, (12,) * _CHANNELS), 10
    yield "converter", Converter(addends, small, (12,) * _CHANNELS), 10


def _is_chosen(name: str, scheme: Requantizer, output: FixedFormat) -> bool:
    """Return whether a processor decides the kernel: vectors make codes of 8 bits."""
    others = isinstance(scheme, (Float64Scale, MulAddShift, Converter))
    return output.bits <= 8 and not others and "s64-reduced" not in name


def vectors(*, chosen: bool, reduced: bool) -> Iterator[Vector]:
    """Give name, Program, accumulators and expected codes.

    Args:
        chosen: those whose kernel a processor decides, or the others.
        reduced: a few of them.
    """
    for number, (name, scheme, bits) in enumerate(_schemes()):
        if reduced and number % 5:
            continue
        for suffix, output, zero, clamp in _CODES[:: 2 if reduced else 1]:
            if _is_chosen(name, scheme, output) != chosen:
                continue
            acc = _accumulators(number, bits, output.bits)
            expected = np.empty(acc.shape, output.dtype)
            for index in np.ndindex(acc.shape):
                x, channel = int(acc[index]), index[1]
                expected[index] = reference(x, scheme, zero, output, clamp, channel=channel)
            program = _program(scheme, (zero, output, clamp), acc)
            yield f"requantize.{name}{suffix}", program, acc, expected


def _accumulators(seed: int, bits: int, wide: int) -> Array:
    """Return [1, channels, 37]: at and around multiples of half a step, at all ends, and random."""
    rng = random.Random(seed)  # noqa: S311 - reproducible vectors
    half = 1 << max(bits - 1, 0)
    ends = [end + d for end in (-(1 << 31), (1 << 31) - 1) for d in (0, 1, -1)]
    directed = [x for x in ends if -(1 << 31) <= x < 1 << 31] + [0, 1, -1]
    rows = []
    for _ in range(_CHANNELS):
        row = list(directed)
        for _ in range(6):
            step = rng.randrange(-(1 << wide), 1 << wide)
            row += [_held(half * step + d) for d in (-1, 0, 1)]
        last = _held((1 << (wide - 1)) << bits)
        row += [last - 1, last, -last, -last - 1]
        row += [_held(rng.randint(-last - half, last + half)) for _ in range(37 - len(row))]
        rows.append(row)
    return np.array([rows], np.int32)


def _held(value: int) -> int:
    return max(-(1 << 31) + 1, min(value, (1 << 31) - 1))


def requantizing(
    scheme: Requantizer,
    code: tuple[int, FixedFormat, tuple[int, int] | None],
    source: str,
    constants: dict[str, Array],
) -> Call:
    """Return the call that requantizes a tensor of int32 into ``y``.

    Args:
        scheme: how.
        code: zero point, format and clamp of the results.
        source: the tensor.
        constants: takes the scheme's arrays.
    """
    zero, output, clamp = code
    attributes: dict[str, Any] = {
        "scheme": encode_scheme(scheme, "scheme", constants),
        "zero_point": zero,
        "input_zero_point": 0,
        "output": format_to_json(output),
        "clamp": None if clamp is None else list(clamp),
        "axis": 1,
    }
    return Call("requantize", "", "requantize", (source,), "y", attributes)


def _program(
    scheme: Requantizer, code: tuple[int, FixedFormat, tuple[int, int] | None], acc: Array
) -> Program:
    constants: dict[str, Array] = {}
    call = requantizing(scheme, code, "acc", constants)
    tensors = {
        "acc": TensorSpec("acc", acc.shape, FixedFormat(32)),
        "y": TensorSpec("y", acc.shape, code[1]),
    }
    return Program("requantize", ("acc",), ("y",), tensors, constants, (call,))

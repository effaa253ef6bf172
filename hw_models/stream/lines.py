"""A sum of two codes as one line in float32, tried for every pair of codes.

    code = clamp(round_half_even(a * f0 + (b * f1 + f2)))

with fused products. No theory says that a line makes the codes of an integer scheme with two or
three roundings; but there are only 65536 pairs, so each is tried, on the kernel itself. Where one
pair is wrong, lines next to it are tried; where ties go both ways none is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

import numpy as np

from hw_models._aligned import address
from hw_models.addition.adders import Adder, AlignedAdd, FloatAdd, MultiplierAdd, ShiftedAdd
from hw_models.errors import ContractError, no_case
from hw_models.stream.loop import try_line

if TYPE_CHECKING:
    from hw_models.formats import IntArray
    from hw_models.schemes import FixedPoint

_TRIES: Final = 400


def _real(scheme: FixedPoint) -> float:
    return float(scheme.multipliers[0]) / 2.0 ** int(scheme.shifts[0])


def factors_of_sum(adder: Adder, a_zero: int, b_zero: int, zero: int) -> tuple[float, float, float]:
    """Return the real factors of a and b and the constant of a scheme."""
    if isinstance(adder, ShiftedAdd):
        common = 2.0**adder.left_shift * _real(adder.out)
        a, b = _real(adder.a) * common, _real(adder.b) * common
    elif isinstance(adder, AlignedAdd):
        common = 2.0 ** -int(adder.out.shifts[0])
        a, b = 2.0**adder.left_a * common, 2.0**adder.left_b * common
    elif isinstance(adder, MultiplierAdd):
        common = 2.0**-adder.right_shift
        a, b = adder.multiplier_a * common, adder.multiplier_b * common
    elif isinstance(adder, FloatAdd):
        a, b = adder.scale_a / adder.scale_out, adder.scale_b / adder.scale_out
    else:
        raise ContractError(no_case(adder, "adder", (kind.__name__ for kind in get_args(Adder))))
    return a, b, zero - a * a_zero - b * b_zero


def find_line(
    start: tuple[float, float, float], a: IntArray, b: IntArray, wanted: IntArray
) -> np.ndarray[tuple[int], np.dtype[np.float32]] | None:
    """Return float32 factors that make ``wanted`` of every pair, or None.

    Args:
        start: the real factors.
        a: every code of the first operand, int8 or uint8.
        b: of the second, of the same type.
        wanted: [a, b], of that type.
    """
    left, right = (np.ascontiguousarray(g).reshape(-1) for g in np.meshgrid(a, b, indexing="ij"))
    codes = np.ascontiguousarray(wanted).reshape(-1)
    made = np.empty_like(codes)
    low, high = np.int32(codes.min()), np.int32(codes.max())
    addresses = [address(array) for array in (left, right, made)]
    rng = np.random.default_rng(0)
    for turn in range(_TRIES):
        # The first tries are ties up and ties down; the others wander by a few last places.
        nudge = (0.0, 1e-5, -1e-5)[turn] if turn < 3 else rng.uniform(-3e-5, 3e-5)
        scale = 1 + (rng.uniform(-2e-7, 2e-7, 2) if turn > 8 else np.zeros(2))
        factors = np.array([start[0] * scale[0], start[1] * scale[1], start[2] + nudge], np.float32)
        try_line(*addresses, left.size, address(factors), low, high, left.dtype.kind == "i")
        if np.array_equal(made, codes):
            return factors
        if turn == 8 and np.count_nonzero(made != codes) > 64:
            return None
    return None

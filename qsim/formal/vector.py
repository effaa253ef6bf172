"""Counterexamples as golden vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.golden import Case

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hw_models import FixedFormat

_MASK: Final = (1 << 64) - 1
# The steps of hw_models.rounding.splitmix64, last first.
_STEPS: Final = ((31, 0x94D049BB133111EB), (27, 0xBF58476D1CE4E5B9))
_GOLDEN: Final = 0x9E3779B97F4A7C15


def vector(
    primitive: str,
    attributes: Mapping[str, Any],
    operands: Mapping[str, tuple[int, FixedFormat]],
    expected: int,
    output: FixedFormat,
    dtype: Any = None,
) -> Case:
    """Return a call of one element.

    Args:
        primitive: of the call.
        attributes: of the call.
        operands: an integer and a format each.
        expected: the result.
        output: its format.
        dtype: the container of the result, where it is not its format's.
    """
    return Case(
        name="counterexample",
        layer="",
        primitive=primitive,
        attributes=attributes,
        operands={name: np.array([x], form.dtype) for name, (x, form) in operands.items()},
        constants={},
        formats={**{name: form for name, (_, form) in operands.items()}, "output": output},
        expected=np.array([expected], dtype or output.dtype),
    )


def seed_of(draw: int) -> int:
    """Return the seed whose first draw this is: splitmix64 can be undone."""
    z = draw
    for shift, factor in _STEPS:
        z = _unshift(z, shift) * pow(factor, -1, 1 << 64) & _MASK
    return (_unshift(z, 30) - _GOLDEN) & _MASK


def _unshift(z: int, shift: int) -> int:
    """Undo ``z ^= z >> shift``."""
    result = z
    for _ in range(64 // shift):
        result = z ^ (result >> shift)
    return result

"""Many vectors of one primitive: the directed ones, and as many drawn ones as are asked for.

A drawn case takes attributes and constants of a directed one and draws its data anew, with a larger
batch. What it expects comes from the kernels of hw_models; the directed cases expect what the
definitions in plain integers give.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Final

import numpy as np

from qsim.cosim.jobs.reading import apart
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hw_models import FixedFormat
    from qsim.golden import Case
    from qsim.program import Array
    from qsim.target import Target

DIRECTED: Final = 1000  # random elements among the directed ones
_CASE_ELEMENTS: Final = 1 << 18  # of a drawn case
_NARROW: Final = 16  # bits up to which codes are drawn uniformly
_MOVES: Final = ("strided_slice", "gather")  # which may pick among samples: of these no more


def vectors(
    primitive: str,
    target: Target,
    seed: int,
    count: int | None,
    fixed: Mapping[str, int] | None = None,
) -> Iterator[Case]:
    """Yield the directed cases of a primitive, then drawn ones up to a number of elements.

    Args:
        primitive: see ``qsim.golden.directed.PRIMITIVES`` and ``qsim.golden.samples.PRIMITIVES``;
            of these all are drawn, beside the corners of their codes.
        target: states widths, schemes and roundings.
        seed: equal arguments give equal cases.
        count: elements in all, at least; None for the directed ones alone.
        fixed: numbers that a design has fixed, by field; directed vectors are made for them.

    Raises:
        UsageError: there are no directed vectors of that primitive, or a count below 1.
    """
    from qsim.cosim.jobs.makers import has_rtl
    from qsim.golden import directed, samples

    if count is not None and count < 1:
        raise UsageError(f"--vectors must be at least 1, not {count}", accepted="1 or more")
    if primitive in samples.PRIMITIVES:
        yield from samples.cases(primitive, target, seed, count or DIRECTED)
        return
    few = min(count or DIRECTED, DIRECTED)
    cases = directed.holding(primitive, target, fixed or {}, seed, few)
    yield from cases
    left = (count or 0) - sum(case.expected.size for case in cases)
    if left <= 0 or not has_rtl(primitive):
        return
    random = np.random.default_rng([seed, 1])
    batched = [case for case in cases if case.primitive not in _MOVES or apart(case)]
    share = -(-left // len(batched))
    for number, case in enumerate(itertools.cycle(batched)):
        if left <= 0:
            return
        batch = -(-min(share, _CASE_ELEMENTS) // case.expected.size)
        drawn = _drawn(case, batch, number, random)
        left -= drawn.expected.size
        yield drawn


def _drawn(case: Case, batch: int, number: int, random: np.random.Generator) -> Case:
    """Return a case like another one, with other data and another batch."""
    from hw_models.errors import AccumulatorOverflowError
    from qsim.golden import compute
    from qsim.program import PRIMITIVES

    fixed = PRIMITIVES[case.primitive].constant
    shape = (case.expected.shape[0] * batch, *case.expected.shape[1:])
    like = np.broadcast_to(case.expected[:1], shape)
    for less in range(64):
        # A target whose overflow is an error gets smaller data until nothing overflows.
        operands = {
            name: array if name in fixed else _draw(array, case.codes[name], batch, less, random)
            for name, array in case.operands.items()
        }
        drawn = dataclasses.replace(
            case, name=f"{case.name}.{number}", operands=operands, expected=like, classes={}
        )
        try:
            return dataclasses.replace(drawn, expected=compute(drawn))
        except AccumulatorOverflowError:
            continue
    raise UsageError(f"every draw for case {case.name!r} overflows its accumulator")


def _draw(
    array: Array, form: FixedFormat, batch: int, less: int, random: np.random.Generator
) -> Array:
    """Return codes of a format: uniform where it is narrow, else uniform in their widths.

    The outputs of a wide accumulator drawn uniformly would nearly all be saturated.
    """
    shape = (array.shape[0] * batch, *array.shape[1:])
    codes = random.integers(form.min, form.max, shape, endpoint=True, dtype=array.dtype)
    drop = random.integers(0, form.bits, shape) if form.bits > _NARROW else np.zeros(shape, int)
    kept: Array = codes >> np.minimum(drop + less, form.bits - 1).astype(codes.dtype)
    return kept

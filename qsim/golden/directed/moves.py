"""Directed vectors of the moves that read at positions: strided_slice and gather.

What goes wrong in an address generator: a step below zero or of 0, a start that is left out, the
first or the last code, a counter that ends one too early or late, dimensions in the wrong order.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Final

import numpy as np

from hw_models.moves.gather import reference as gather_reference
from hw_models.moves.strided_slice import reference as slice_reference
from qsim.golden.directed import vectors as v

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping, Sequence

    from hw_models import FixedFormat
    from qsim.golden.case import Case
    from qsim.program import Array, Json
    from qsim.target import Target

    Shape = tuple[int, ...]
    Picks = Sequence[tuple[int, int, int]]  # start, step and size of every dimension

# Name, shape of the operand, (start, step, size) of every dimension, class.
_SLICES: Final[tuple[tuple[str, Shape, Picks, str], ...]] = (
    ("whole", (1, 3, 4, 5), ((0, 1, 1), (0, 1, 3), (0, 1, 4), (0, 1, 5)), v.WHOLE),
    ("part", (2, 3, 4, 5), ((0, 1, 2), (1, 1, 2), (2, 1, 2), (1, 1, 3)), v.PART),
    ("every-second", (2, 3, 5, 6), ((0, 1, 2), (0, 2, 2), (0, 2, 3), (1, 2, 3)), v.STEP),
    ("every-third", (1, 2, 7, 8), ((0, 1, 1), (0, 1, 2), (1, 3, 2), (2, 3, 2)), v.STEP),
    ("flip", (2, 3, 4), ((0, 1, 2), (2, -1, 3), (3, -1, 4)), v.BACKWARD),
    ("flip-one", (1, 2, 3, 7), ((0, 1, 1), (0, 1, 2), (0, 1, 3), (6, -1, 7)), v.BACKWARD),
    ("backward-by-two", (1, 4, 9), ((0, 1, 1), (3, -2, 2), (7, -3, 3)), v.BACKWARD),
    ("repeated", (2, 1, 3, 1), ((0, 1, 2), (0, 0, 4), (0, 1, 3), (0, 0, 5)), v.REPEATED),
    ("repeated-last", (1, 5, 4), ((0, 1, 1), (4, 0, 3), (3, 0, 2)), v.REPEATED),
    ("first", (1, 4, 5), ((0, 1, 1), (0, 1, 1), (0, 1, 1)), v.END),
    ("last", (1, 4, 5), ((0, 1, 1), (3, 1, 1), (4, -1, 1)), v.END),
    ("samples-backward", (3, 2, 3), ((2, -1, 3), (0, 1, 2), (1, 1, 2)), v.BACKWARD),
    ("a-sample", (3, 2, 3), ((1, 1, 1), (0, 1, 2), (0, 1, 3)), v.PART),
    ("mixed", (2, 2, 3, 2, 2, 4),
     ((1, -1, 2), (1, -1, 2), (0, 2, 2), (1, 0, 2), (0, 1, 2), (3, -1, 4)), v.BACKWARD),
    ("line", (9,), ((8, -2, 5),), v.BACKWARD),
)  # fmt: skip
# Name, shape of the operand, axis, positions, class.
_GATHERS: Final[tuple[tuple[str, Shape, int, Sequence[int], str], ...]] = (
    ("identity", (2, 5, 3), 1, range(5), v.WHOLE),
    ("reversed", (2, 5, 3), 1, range(4, -1, -1), v.BACKWARD),
    ("repeated", (1, 3, 4), 2, (0, 0, 1, 1, 1, 3, 3), v.REPEATED),
    ("all-one", (1, 3, 4), 2, (2,) * 6, v.REPEATED),
    ("first", (2, 4), 1, (0,), v.END),
    ("last", (2, 4, 3), -2, (3,), v.END),
    ("ends", (1, 7, 2, 2), 1, (6, 0), v.END),
    ("rolled", (1, 2, 3, 6), 3, (4, 5, 0, 1, 2, 3), v.PART),
    ("windows", (1, 2, 6), 2, (0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 5), v.REPEATED),
    ("samples", (3, 2, 2), 0, (2, 0, 0, 1), v.REPEATED),
    ("line", (8,), 0, (7, 3, 3, 0), v.REPEATED),
)
# Every bit of every counter and of every address: a line of so many codes along each dimension.
_LONG: Final = 256
_DIMENSIONS: Final = 6
_RANDOM: Final = 8  # calls that the random elements are spread over
_MOST: Final = 5  # of a random dimension


class StridedSlice(v.OneScheme):
    """Vectors of strided_slice."""

    @staticmethod
    def cases(target: Target, seed: int, count: int) -> list[Case]:
        """Return directed calls, then random ones."""
        rng = v.stream("strided_slice", seed, target.hash)
        form = target.input.format
        made = []
        for d, shape in enumerate(_lines()):
            backward = [(n - 1, -1, n) if n > 1 else (0, 0, 1) for n in shape]
            made.append(_slice(f"long-{d}", shape, backward, form, rng, v.BACKWARD))
        made += [_slice(name, shape, picks, form, rng, of) for name, shape, picks, of in _SLICES]
        for number, sample in enumerate(_dimensions(rng, count)):
            picks = [_pick(rng, n) for n in sample]
            batch = _batch(count, math.prod(size for _, _, size in picks))
            kept = ((0, 1, batch), *picks)
            made.append(_slice(f"random-{number}", (batch, *sample), kept, form, rng, v.RANDOM))
        return made


class Gather(v.OneScheme):
    """Vectors of gather."""

    @staticmethod
    def cases(target: Target, seed: int, count: int) -> list[Case]:
        """Return directed calls, then random ones."""
        rng = v.stream("gather", seed, target.hash)
        form = target.input.format
        made = []
        for d, shape in enumerate(_lines()):
            line = rng.sample(range(_LONG), _LONG)
            made.append(_gather(f"long-{d}", shape, d, line, form, rng, v.PART))
        made += [
            _gather(name, shape, axis, where, form, rng, of)
            for name, shape, axis, where, of in _GATHERS
        ]
        for number, sample in enumerate(_dimensions(rng, count)):
            axis = rng.randrange(len(sample))
            line = [rng.randrange(sample[axis]) for _ in range(rng.randint(1, 2 * _MOST))]
            batch = _batch(count, math.prod(sample) // sample[axis] * len(line))
            call = (f"random-{number}", (batch, *sample), axis + 1, line)
            made.append(_gather(*call, form, rng, v.RANDOM))
        return made


def _lines() -> Iterator[Shape]:
    """Give a shape for each dimension, which alone is long."""
    for d in range(_DIMENSIONS):
        yield tuple(_LONG if e == d else 1 for e in range(_DIMENSIONS))


def _dimensions(rng: random.Random, count: int) -> Iterator[Shape]:
    """Give the dimensions of a sample, for each random call."""
    for _ in range(_RANDOM if count else 0):
        yield tuple(rng.randint(1, _MOST) for _ in range(rng.randint(1, 3)))


def _batch(count: int, results: int) -> int:
    """Return how many samples of so many results make a call's share of the random elements."""
    return -(-count // (_RANDOM * results))


def _pick(rng: random.Random, length: int) -> tuple[int, int, int]:
    """Return a start, a step and a size that stay in a dimension."""
    start, step = rng.randrange(length), rng.randint(-2, 2)
    if step == 0:
        return start, 0, rng.randint(1, _MOST)
    room = (length - 1 - start) // step if step > 0 else start // -step
    return start, step, rng.randint(1, room + 1)


def _codes(shape: Shape, form: FixedFormat, rng: random.Random) -> Array:
    """Return codes of a format, the extreme ones at both ends: neighbours differ."""
    size = math.prod(shape)
    codes = [rng.randint(form.min, form.max) for _ in range(size)]
    for at in range(1, size):
        if codes[at] == codes[at - 1]:
            codes[at] = form.min if codes[at] == form.max else codes[at] + 1
    codes[0], codes[-1] = form.min, form.max
    return v.array(codes, shape, form)


def _read(x: Array, lines: Sequence[Sequence[int]], form: FixedFormat) -> Array:
    """Return the codes at every combination of the positions of all dimensions."""
    flat, pitches = x.reshape(-1).tolist(), [math.prod(x.shape[d + 1 :]) for d in range(x.ndim)]
    places = (
        sum(p * pitch for p, pitch in zip(at, pitches, strict=True))
        for at in itertools.product(*lines)
    )
    return v.array([flat[place] for place in places], tuple(map(len, lines)), form)


def _slice(
    name: str, shape: Shape, picks: Picks, form: FixedFormat, rng: random.Random, label: str
) -> Case:
    x = _codes(shape, form, rng)
    # The definition on the positions themselves gives the positions that are read.
    lines = [slice_reference(range(n), *pick) for n, pick in zip(shape, picks, strict=True)]
    starts, steps, sizes = (list(each) for each in zip(*picks, strict=True))
    if len(shape) > 1 and picks[0] == (0, 1, shape[0]):
        sizes[0] = -1  # any batch
    attributes: dict[str, Json] = {"starts": starts, "steps": steps, "sizes": sizes}
    return _case("strided_slice", name, attributes, {"x": x}, _read(x, lines, form), form, label)


def _gather(
    name: str,
    shape: Shape,
    axis: int,
    where: Sequence[int],
    form: FixedFormat,
    rng: random.Random,
    label: str,
) -> Case:
    x = _codes(shape, form, rng)
    lines: list[Sequence[int]] = [range(n) for n in shape]
    lines[axis] = gather_reference(range(shape[axis]), list(where))
    operands = {"x": x, "indices": np.array(list(where), v.POSITION.dtype)}
    return _case("gather", name, {"axis": axis}, operands, _read(x, lines, form), form, label)


def _case(
    primitive: str,
    name: str,
    attributes: Mapping[str, Json],
    operands: Mapping[str, Array],
    y: Array,
    form: FixedFormat,
    label: str,
) -> Case:
    formats = {key: v.POSITION if key == "indices" else form for key in operands}
    return v.make_case(
        primitive, name, attributes, operands, {**formats, "output": form}, y, [label] * y.size
    )

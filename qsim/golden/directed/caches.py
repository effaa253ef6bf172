"""Directed vectors of what an attention's caches and tables do: cache_write and embedding.

What goes wrong: a position past either end of a ring, its last row and then its first, the largest
positions of a counter, a row written twice, the rows and codes around the one that was meant.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from hw_models import FixedFormat
from hw_models.embedding import reference as embedding_reference
from hw_models.states.cache_write import reference as write_reference
from qsim.golden.directed import vectors as v

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from qsim.golden.case import Case
    from qsim.program import Array
    from qsim.target import Target

    Shape = tuple[int, ...]

_FIRST, _LAST = v.POSITION.min, v.POSITION.max
# Name, shape of the cache, axis, positions, rows, ring, class.
_WRITES: Final[tuple[tuple[str, Shape, int, Sequence[int], int, bool, str], ...]] = (
    ("first", (2, 5, 3), -2, (0,), 1, False, v.END),
    ("last", (2, 2, 5, 3), -2, (4,), 1, False, v.END),
    ("all", (2, 5, 3), 1, (0,), 5, False, v.WHOLE),
    ("run", (1, 7, 2), 1, (2,), 4, False, v.PART),
    ("run-to-the-end", (1, 7, 2), 1, (3,), 4, False, v.END),
    ("backward", (2, 5, 3), 1, (3, 2, 0), 3, False, v.BACKWARD),
    ("twice", (2, 5, 3), 1, (3, 0, 3), 3, False, v.REPEATED),
    ("before-all", (4, 3), 0, (1, 2), 2, False, v.PART),
    ("line", (2, 2, 9), -1, (8, 1), 2, False, v.END),
    ("one-row", (3, 1, 2), 1, (0,), 1, False, v.WHOLE),
    ("ring-inside", (2, 5, 3), 1, (4, 0), 2, True, v.END),
    ("ring-wraps", (3, 4), 0, (2,), 3, True, v.WRAP),
    ("ring-longer-than-it-is", (3, 4), 0, (1,), 8, True, v.WRAP),
    ("ring-edges", (2, 5, 3), 1, (5, -1, -5, -6, 9, 10), 6, True, v.WRAP),
    ("ring-ends", (2, 7, 3), 1, (_LAST, _FIRST, _LAST - 1, _FIRST + 1), 4, True, v.EXTREME),
    ("ring-of-a-power", (1, 8, 2), 1, (_LAST, _FIRST, -8, 8, 7), 5, True, v.EXTREME),
    ("ring-of-one", (2, 1, 2), 1, (-1, _LAST), 2, True, v.WRAP),
)
# Name, rows of the table, codes of a row, indices, their shape, class.
_READS: Final[tuple[tuple[str, int, int, Sequence[int], Shape, str], ...]] = (
    ("identity", 5, 3, range(5), (1, 5), v.WHOLE),
    ("reversed", 5, 3, range(4, -1, -1), (1, 5), v.BACKWARD),
    ("first", 7, 4, (0,), (1, 1), v.END),
    ("last", 7, 4, (6,), (1, 1), v.END),
    ("ends", 9, 1, (8, 0, 8, 0), (2, 2), v.END),
    ("repeated", 4, 3, (2, 2, 2, 1, 1, 3), (2, 3), v.REPEATED),
    ("one-row", 1, 6, (0, 0, 0), (3, 1), v.REPEATED),
    ("long", 256, 2, (*(1 << b for b in range(8)), 255, 254, 0), (1, 11), v.ONE_BIT),
)
_MOST: Final = 6  # rows of a random call, and codes of one


class CacheWrite(v.OneScheme):
    """Vectors of cache_write."""

    @staticmethod
    def cases(target: Target, seed: int, count: int) -> list[Case]:
        """Return directed calls, then random ones of both kinds of caches."""
        rng = v.stream("cache_write", seed, target.hash)
        form = target.input.format
        made = [_write(*call, form, rng) for call in _WRITES]
        size = number = 0
        while size < count:
            length, ring = rng.randint(1, _MOST), bool(number % 2)
            shape = rng.randint(1, 3), length, rng.randint(1, _MOST)
            reach = range(-3 * length, 3 * length) if ring else range(length)
            where = [rng.choice(reach) for _ in range(rng.randint(1, _MOST))]
            call = (f"random-{number}", shape, 1, where, len(where), ring, v.RANDOM)
            made.append(_write(*call, form, rng))
            size, number = size + made[-1].expected.size, number + 1
        return made


class Embedding(v.OneScheme):
    """Vectors of embedding."""

    @staticmethod
    def cases(target: Target, seed: int, count: int) -> list[Case]:
        """Return directed calls, then random ones."""
        rng = v.stream("embedding", seed, target.hash)
        form = target.input.format
        made = [_read(*call, form, rng) for call in _READS]
        size = number = 0
        while size < count:
            rows, inner = rng.randint(1, 4 * _MOST), rng.randint(1, _MOST)
            where = [rng.randrange(rows) for _ in range(rng.randint(1, 2 * _MOST))]
            call = (f"random-{number}", rows, inner, where, (1, len(where)), v.RANDOM)
            made.append(_read(*call, form, rng))
            size, number = size + made[-1].expected.size, number + 1
        return made


def _codes(form: FixedFormat, shape: Shape, rng: random.Random) -> Array:
    return v.array((rng.randint(form.min, form.max) for _ in range(math.prod(shape))), shape, form)


def _write(
    name: str,
    shape: Shape,
    axis: int,
    where: Sequence[int],
    count: int,
    ring: bool,
    label: str,
    form: FixedFormat,
    rng: random.Random,
) -> Case:
    axis %= len(shape)
    cache = _codes(form, shape, rng)
    rows = _codes(form, (*shape[:axis], count, *shape[axis + 1 :]), rng)
    y = cache.copy()
    for index in np.ndindex(*shape[:axis], *shape[axis + 1 :]):
        line = (*index[:axis], slice(None), *index[axis:])
        y[line] = write_reference(cache[line].tolist(), rows[line].tolist(), where, ring=ring)
    operands = {"cache": cache, "rows": rows, "positions": np.array(where, v.POSITION.dtype)}
    formats = {"cache": form, "rows": form, "positions": v.POSITION, "output": form}
    attributes = {"axis": axis, "ring": ring}
    return v.make_case("cache_write", name, attributes, operands, formats, y, [label] * y.size)


def _read(
    name: str,
    rows: int,
    inner: int,
    where: Sequence[int],
    shape: Shape,
    label: str,
    form: FixedFormat,
    rng: random.Random,
) -> Case:
    table = _codes(form, (rows, inner), rng)
    # A constant has the format of its container, and what is read of it too.
    form = FixedFormat(8 * table.itemsize, form.signed)
    found = embedding_reference(table.tolist(), where)
    y = np.array(found, form.dtype).reshape(*shape, inner)
    operands = {"table": table, "indices": np.array(where, v.POSITION.dtype).reshape(shape)}
    formats = {"table": form, "indices": v.POSITION, "output": form}
    return v.make_case("embedding", name, {}, operands, formats, y, [label] * y.size)

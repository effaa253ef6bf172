"""From networks of several lengths to functions of the length, or to why there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from qsim.errors import ModelError
from qsim.network.lengths.items import arrays, items
from qsim.network.lengths.lengths import Lengths
from qsim.network.lengths.sizes import Size, fitted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qsim.network.data import Network
    from qsim.network.lengths.items import Item, Path
    from qsim.program import Array, Json

    # From a call's name, the field and a length to what stands there; None where nothing says it.
    Stated = Callable[[str, str, int], Json | None]


def fit(
    members: Mapping[int, Network],
    least: int,
    axes: Sequence[tuple[int, int]],
    stated: Stated,
) -> Lengths:
    """Return how networks of several lengths follow from the longest one.

    Args:
        members: the networks, by their lengths: ``points`` of the bounds, or, where the least
            follows from the others, of those without it.
        least: the least length.
        axes: the inputs, by position, and the dimensions that are the length.
        stated: tells what no function gives.

    Raises:
        ModelError: an integer that is no function of the length, or a constant that is no part of
            the longest one's; names the layer and the field.
    """
    return _Fit(members, least, stated).run(tuple(axes))


class _Fit:
    def __init__(self, members: Mapping[int, Network], least: int, stated: Stated) -> None:
        self.members = dict(sorted(members.items()))
        self.lengths = tuple(self.members)
        self.least, self.most, self.stated = least, self.lengths[-1], stated
        self.sizes: dict[Path, Size] = {}
        self.tables: dict[Path, tuple[Json, ...]] = {}
        self.windows: dict[tuple[str, str, int], Size] = {}

    def run(self, axes: tuple[tuple[int, int], ...]) -> Lengths:
        rows = [list(items(network)) for network in self.members.values()]
        for length, row in zip(self.lengths, rows, strict=True):
            odd = _first_other(row, rows[-1])
            if odd is not None:
                self._refuse(odd.where, f"is another at length {length} than at {self.most}")
        for each in zip(*rows, strict=True):
            last = each[-1]
            self._tree(last.path, [item.free for item in each], last.where)
        held = [list(arrays(network)) for network in self.members.values()]
        for columns in zip(*held, strict=True):
            self._array(columns[-1][0], [array for _, array in columns])
        return Lengths(
            self.least, self.lengths[0], self.most, axes, self.sizes, self.windows, self.tables
        )

    def _tree(self, path: Path, values: list[Any], where: str) -> None:
        last = values[-1]
        if all(type(value) is type(last) and value == last for value in values):
            return
        if self._table(path, values):
            return
        if all(isinstance(value, dict) and set(value) == set(last) for value in values):
            for key in last:
                self._tree((*path, key), [value[key] for value in values], where)
        elif all(isinstance(value, list) and len(value) == len(last) for value in values):
            for index in range(len(last)):
                self._tree((*path, index), [value[index] for value in values], where)
        else:
            plain = all(isinstance(value, int) and not isinstance(value, bool) for value in values)
            size = fitted(self.lengths, values) if plain else None
            if size is None:
                name = next((f"{part} " for part in path[::-1] if isinstance(part, str)), "")
                shown = ", ".join(map(str, values))
                lengths = ", ".join(map(str, self.lengths))
                self._refuse(where, f"{name}is {shown} at lengths {lengths}")
            self.sizes[path] = size

    def _table(self, path: Path, values: list[Any]) -> bool:
        """Take what is stated for every length, if it is what the members have."""
        if path[0] != "calls" or len(path) != 4:
            return False
        if self.stated(path[2], path[3], self.most) is None:
            return False
        table = tuple(self.stated(path[2], path[3], s) for s in range(self.least, self.most + 1))
        if any(
            table[s - self.least] != value for s, value in zip(self.lengths, values, strict=True)
        ):
            return False
        self.tables[path] = table
        return True

    def _array(self, key: tuple[str, str], held: list[Array]) -> None:
        last = held[-1]
        where = f"constant {key[1]!r}"
        if any(each.dtype != last.dtype or each.ndim != last.ndim for each in held):
            self._refuse(where, "has another type or rank at another length")
        for axis in range(last.ndim):
            counts = [each.shape[axis] for each in held]
            if len(set(counts)) > 1:
                size = fitted(self.lengths, counts)
                if size is None or max(counts) != counts[-1]:
                    shown = ", ".join(map(str, counts))
                    self._refuse(where, f"has {shown} entries at lengths {self.lengths}")
                self.windows[*key, axis] = size
        for length, each in zip(self.lengths, held, strict=True):
            part = last[tuple(slice(count) for count in each.shape)]
            if each.tobytes() != np.ascontiguousarray(part).tobytes():
                self._refuse(where, f"at length {length} is no part of that at {self.most}")

    def _refuse(self, where: str, text: str) -> NoReturn:
        raise ModelError(
            f"{text}: one network cannot serve every length",
            where=where,
            accepted="what is a part, or a polynomial, of the length; else one length: no lengths=",
        )


def _first_other(row: list[Item], last: list[Item]) -> Item | None:
    """Return the first item of a network that the longest one has not, or None."""
    for mine, theirs in zip(row, last, strict=False):
        if (mine.path[0], mine.fixed) != (theirs.path[0], theirs.fixed):
            return theirs
    return None if len(row) == len(last) else (last or row)[-1]

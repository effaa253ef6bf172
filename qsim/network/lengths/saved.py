"""Lengths as a part of a network's document, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError
from qsim.network.lengths.lengths import Lengths, points
from qsim.network.lengths.sizes import Size, fitted
from qsim.program import check_keys, is_int, to_json

if TYPE_CHECKING:
    from qsim.program import Json

_FIELDS: Final = ("least", "regular", "most", "axes", "sizes", "windows", "tables")
_MOST: Final = 1 << 20


def to_document(lengths: Lengths) -> dict[str, Json]:
    """Return lengths as JSON: each function behind the place where it stands."""
    document: dict[str, Any] = {
        "least": lengths.least,
        "regular": lengths.regular,
        "most": lengths.most,
        "axes": lengths.axes,
        "sizes": [[path, size.to_json()] for path, size in lengths.sizes.items()],
        "windows": [[place, size.to_json()] for place, size in lengths.windows.items()],
        "tables": [[path, table] for path, table in lengths.tables.items()],
    }
    return {key: to_json(value) for key, value in document.items()}


def from_document(document: Any) -> Lengths:
    """Return the lengths of a document; what they stand for is checked when a network is made.

    Raises:
        ModelError: anything that is not as :func:`to_document` writes it.
    """
    check_keys(document, _FIELDS)
    span = [document[name] for name in _FIELDS[:3]]
    least, regular, most = span
    if not all(map(is_int, span)) or not 1 <= least <= regular < most <= _MOST:
        raise ModelError.of("lengths must be bounds", span, "1 <= least <= regular < most")
    axes = tuple(_place(each, 2) for each in _rows(document["axes"]))
    if not axes or not all(is_int(part) for axis in axes for part in axis):
        raise ModelError.of("lengths must have axes", document["axes"], "[input, dimension]")
    sizes = {_place(path): _size(size, regular, most) for path, size in _pairs(document["sizes"])}
    windows = {
        _place(path, 3): _size(size, regular, most) for path, size in _pairs(document["windows"])
    }
    tables = {_place(path): tuple(_rows(held)) for path, held in _pairs(document["tables"])}
    if any(len(table) != most - least + 1 for table in tables.values()):
        raise ModelError("a table must have an entry for each length")
    missing = [axis for axis in axes if ("inputs", *axis) not in sizes]
    if missing:
        raise ModelError.of("an axis must be a size of its input", missing, "no others")
    return Lengths(least, regular, most, axes, sizes, windows, tables)


def _rows(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ModelError.of("lengths must be lists", value, "a list")
    return value


def _pairs(value: Any) -> list[Any]:
    rows = _rows(value)
    if not all(isinstance(row, list) and len(row) == 2 for row in rows):
        raise ModelError.of("lengths must be pairs", rows, "[place, value]")
    return rows


def _place(value: Any, count: int | None = None) -> tuple[Any, ...]:
    parts = tuple(_rows(value))
    plain = all(isinstance(part, str) or is_int(part) for part in parts)
    if not plain or len(parts) < 2 or count not in (None, len(parts)):
        raise ModelError.of("a place must be a list of names and numbers", value, "[name, number]")
    return parts


def _size(value: Any, regular: int, most: int) -> Size:
    """Return a size; only the one that its values are fitted with, so that a digest covers it."""
    size = Size.from_json(value)
    at = points(regular, most)
    if fitted(at, [size.at(length) for length in at]) != size:
        raise ModelError.of("a size must be the simplest function", value, "as it was fitted")
    return size

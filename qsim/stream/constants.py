"""Everything of a command stream that never changes, packed into one buffer."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from qsim.attributes import Array

LINE: Final = 64  # bytes of a cache line: where every part begins


class Constants:
    """A buffer that grows while commands are encoded.

    Parts with the same bytes are kept once, so that streams for several batch sizes share weights.
    """

    def __init__(self) -> None:
        self._parts: list[Array] = []
        self._known: dict[bytes, int] = {}
        self._whole = aligned(0)
        self.size = 0

    def add(self, array: Any) -> int:
        """Keep an array; return where it begins, in bytes from the buffer's start."""
        flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        key = hashlib.sha256(flat.data).digest()
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self.size
            self._parts.append(flat)
            self.size += -(-flat.size // LINE) * LINE
        return known

    def buffer(self) -> Array:
        """Return the bytes, on a line's start, with a line's slack after the last."""
        if self._whole.size != self.size + LINE:
            whole, at = aligned(self.size + LINE), 0
            for number, part in enumerate(self._parts):
                place = whole[at : at + part.size]
                place[:] = part
                self._parts[number] = place  # the part's own memory is free now
                at += -(-part.size // LINE) * LINE
            self._whole = whole
        return self._whole


def aligned(size: int) -> Array:
    """Return uninitialised bytes that begin at a cache line."""
    flat: Array = np.empty(size + LINE, np.uint8)
    start = -address(flat) % LINE
    return flat[start : start + size]


def address(array: Array) -> int:
    """Return where an array's first element lies."""
    return int(array.__array_interface__["data"][0])

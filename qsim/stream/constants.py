"""Everything of a command stream that never changes, packed into one buffer."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models._aligned import LINE, aligned

if TYPE_CHECKING:
    from qsim.program import Array


class Constants:
    """A buffer that grows while commands are encoded; every part begins at a cache line.

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

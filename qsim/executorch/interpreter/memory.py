"""The planned memories of a method: tensors lie where planned, overwritten bytes are noticed.

Every memory is cut where a tensor of the plan begins or ends. Between two cuts all bytes belong to
the same tensors, so remembering who wrote each piece is as exact as remembering it for each byte.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

import torch

from qsim.errors import ModelError
from qsim.executorch.pte import TensorSpec

if TYPE_CHECKING:
    from qsim.executorch.pte import Method


class Pieces(NamedTuple):
    """The pieces ``first`` to ``end - 1`` of a memory."""

    memory: int
    first: int
    end: int


class Memory:
    """The memories of one method, kept from call to call: a network's state lives there.

    Attributes:
        pieces: by value index, where the plan puts a tensor; None for what has no place.
    """

    def __init__(self, method: Method) -> None:
        specs = [value if isinstance(value, TensorSpec) else None for value in method.values]
        placed = [(spec, *spec.arena) for spec in specs if spec and spec.arena]
        cuts: list[set[int]] = [set() for _ in method.arenas]
        for spec, memory, offset in placed:
            cuts[memory].update((offset, offset + spec.nbytes))
        self._cuts = [sorted(cut) for cut in cuts]
        # What no tensor reaches is not allocated.
        self._storage = [torch.zeros(max(cut, default=0), dtype=torch.uint8) for cut in self._cuts]
        # 0: nobody yet; else 1 + the value that owns the piece, and the instruction that wrote.
        self._owners = [[0] * len(cut) for cut in self._cuts]
        self._writers = [[0] * len(cut) for cut in self._cuts]
        self.pieces = [self._pieces(spec) for spec in specs]

    def _pieces(self, spec: TensorSpec | None) -> Pieces | None:
        if spec is None or spec.arena is None or spec.nbytes == 0:
            return None
        memory, offset = spec.arena
        cut = self._cuts[memory]
        return Pieces(memory, bisect_left(cut, offset), bisect_left(cut, offset + spec.nbytes))

    def view(self, spec: TensorSpec, sizes: tuple[int, ...]) -> torch.Tensor:
        """Return the tensor of ``sizes`` at the place that the plan gives to ``spec``."""
        assert spec.arena is not None  # noqa: S101 - the caller asks for planned tensors only
        memory, offset = spec.arena
        # The storage begins at the memory's byte 0, so offsets count elements from there.
        size = spec.dtype.itemsize
        whole = self._storage[memory]
        typed = whole[: len(whole) // size * size].view(spec.dtype)
        return typed.as_strided(sizes, spec.strides(sizes), offset // size)

    def owners(self) -> list[list[int]]:
        """Return a copy of who owns which piece: on it alone depends what a run will report."""
        return [list(owners) for owners in self._owners]

    def wrote(self, pieces: Pieces | None, owner: int, instruction: int) -> None:
        """Remember that these pieces now hold value ``owner``."""
        if pieces is not None:
            memory, first, end = pieces
            self._owners[memory][first:end] = [owner + 1] * (end - first)
            self._writers[memory][first:end] = [instruction] * (end - first)

    def holder(self, pieces: Pieces) -> int | None:
        """Return the value that owns exactly these pieces, None where there is no such value."""
        memory, first, end = pieces
        owners = set(self._owners[memory][first:end])
        owner = owners.pop() - 1
        return owner if not owners and owner >= 0 and self.pieces[owner] == pieces else None

    def holds(self, pieces: Pieces | None, owner: int) -> bool:
        """Return whether these pieces hold value ``owner``, every one of them."""
        if pieces is None:
            return True
        memory, first, end = pieces
        return self._owners[memory][first:end] == [owner + 1] * (end - first)

    def check(self, pieces: Pieces | None, owner: int, what: str, reader: str) -> None:
        """Check that nobody wrote over value ``owner`` since it was made.

        Raises:
            ModelError: somebody did; says which bytes, who and when.
        """
        if pieces is None:
            return
        memory, first, end = pieces
        owners = self._owners[memory]
        for piece in range(first, end):
            if owners[piece] not in (0, owner + 1):
                cut = self._cuts[memory]
                raise ModelError(
                    f"{reader} reads {what}, but bytes {cut[piece]} to {cut[piece + 1]} of memory "
                    f"{memory} were given to value {owners[piece] - 1} by instruction "
                    f"{self._writers[memory][piece]}: the memory plan overlaps"
                )

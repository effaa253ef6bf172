"""Beats: how operands and results are packed into the data word of a stream, and into hex files.

A *layout* is a list of fields. The first field takes the least significant bits, the next one the
bits above it, without gaps; the lanes of a field follow each other, lane 0 lowest; negative values
are two's complement. In a ``$readmemh`` file each line is one beat: ``{tlast, tdata}``, as
``ceil((width + 1) / 4)`` lower-case hexadecimal digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from qsim.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.program import Array

Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]
_ROWS = 1 << 14  # beats that are packed at once: bounds the memory that hex files take


@dataclass(frozen=True, slots=True)
class Field:
    """A part of a beat.

    Attributes:
        name: unique in its layout.
        bits: width of one lane, 1 to 64.
        signed: two's complement if true.
        lanes: how many values, side by side.
    """

    name: str
    bits: int
    signed: bool
    lanes: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 64 or self.lanes < 1:
            raise InputError(
                f"field {self.name!r} must be lanes of 1 to 64 bits, not {self.lanes} x {self.bits}"
            )

    @property
    def width(self) -> int:
        """All lanes together, in bits."""
        return self.bits * self.lanes

    @property
    def min(self) -> int:
        """The smallest value of a lane."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        """The largest value of a lane."""
        return (1 << (self.bits - self.signed)) - 1


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of a beat, least significant first."""

    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        if len(set(names)) != len(names) or not names:
            raise InputError(f"a layout must have fields of different names, not {names}")

    @property
    def width(self) -> int:
        """Width of tdata in bits."""
        return sum(field.width for field in self.fields)

    @property
    def words(self) -> int:
        """64-bit words of a packed beat."""
        return -(-self.width // 64)

    @property
    def digits(self) -> int:
        """Hexadecimal digits of a line: tdata and tlast."""
        return -(-(self.width + 1) // 4)

    def offsets(self) -> dict[str, int]:
        """Return the lowest bit of each field."""
        ends = accumulate((field.width for field in self.fields), initial=0)
        return {field.name: start for field, start in zip(self.fields, ends, strict=False)}

    def pack(self, values: Mapping[str, Array | int], beats: int) -> Words:
        """Pack values into beats.

        Args:
            values: one entry per field: an integer for all beats, an array [beats], or
                [beats, lanes] ([lanes] is not accepted: it could be beats).
            beats: how many.

        Returns:
            [beats, words], least significant word first.

        Raises:
            InputError: a field without values, or a value that does not fit it.
        """
        if set(values) != {field.name for field in self.fields}:
            raise InputError(
                f"a beat must have its fields, not {sorted(values)}",
                accepted=", ".join(field.name for field in self.fields),
            )
        packed = np.zeros((beats, self.words), np.uint64)
        for field in self.fields:
            lanes = _lanes(field, values[field.name], beats)
            offset = self.offsets()[field.name]
            for lane in range(field.lanes):
                _put(packed, lanes[:, lane], offset + lane * field.bits, field.bits)
        return packed

    def unpack(self, packed: Words) -> dict[str, npt.NDArray[np.int64 | np.uint64]]:
        """Return the fields of packed beats, each [beats, lanes]; unsigned 64-bit as uint64."""
        offsets = self.offsets()
        return {
            field.name: np.stack(
                [
                    _get(packed, offsets[field.name] + lane * field.bits, field)
                    for lane in range(field.lanes)
                ],
                axis=1,
            )
            for field in self.fields
        }

    def to_hex(self, packed: Words, last: Flags) -> bytes:
        """Return the lines of a ``$readmemh`` file."""
        return b"".join(
            _lines(packed[start : start + _ROWS], last[start : start + _ROWS], self)
            for start in range(0, len(packed), _ROWS)
        )

    def from_hex(self, text: bytes) -> tuple[Words, Flags]:
        """Return the beats and their tlast of a ``$readmemh`` file that this layout wrote.

        Raises:
            InputError: a line of another length, or one that is not hexadecimal.
        """
        lines = text.split()
        if any(len(line) != self.digits for line in lines):
            index = next(i for i, line in enumerate(lines) if len(line) != self.digits)
            raise InputError(
                f"line {index + 1} must be one beat, not {lines[index][:40]!r}",
                accepted=f"{self.digits} hexadecimal digits",
            )
        nibbles = 16 * -(-(self.width + 1) // 64)
        try:
            raw = bytes.fromhex(b"".join(line.rjust(nibbles, b"0") for line in lines).decode())
        except ValueError as error:
            raise InputError(f"beats must be hexadecimal: {error}") from None
        words = np.frombuffer(raw, ">u8").reshape(len(lines), -1)[:, ::-1].astype(np.uint64)
        last = _get(words, self.width, Field("last", 1, signed=False)).astype(np.bool_)
        words = words[:, : self.words].copy()
        if self.width % 64:
            words[:, -1] &= np.uint64((1 << (self.width % 64)) - 1)
        return words, last


def _lanes(field: Field, value: Array | int, beats: int) -> Array:
    array = np.asarray(value)
    if array.dtype.kind not in "iub":
        raise InputError(f"field {field.name!r} must hold integers, not {array.dtype}")
    if array.ndim == 1 and field.lanes == 1:
        array = array[:, None]
    if array.ndim and array.shape != (beats, field.lanes):
        raise InputError(
            f"field {field.name!r} must have one row per beat, not {array.shape}",
            accepted=f"({beats}, {field.lanes})",
        )
    if array.size and (int(array.min()) < field.min or int(array.max()) > field.max):
        wrong = int(array.min()) if int(array.min()) < field.min else int(array.max())
        raise InputError(
            f"field {field.name!r} must hold values of its width, not {wrong}",
            accepted=f"{field.min}..{field.max}",
        )
    return np.broadcast_to(array, (beats, field.lanes))


def _put(packed: Words, values: Array, offset: int, bits: int) -> None:
    mask = np.uint64((1 << bits) - 1)
    unsigned = values.astype(np.uint64 if values.dtype.kind == "u" else np.int64).view(np.uint64)
    word, shift = divmod(offset, 64)
    packed[:, word] |= (unsigned & mask) << np.uint64(shift)
    if shift + bits > 64:
        packed[:, word + 1] |= (unsigned & mask) >> np.uint64(64 - shift)


def _get(packed: Words, offset: int, field: Field) -> npt.NDArray[np.int64 | np.uint64]:
    word, shift = divmod(offset, 64)
    value = packed[:, word] >> np.uint64(shift)
    if shift + field.bits > 64:
        value = value | (packed[:, word + 1] << np.uint64(64 - shift))
    drop = np.uint64(64 - field.bits)
    value = value << drop
    if field.signed:
        return value.view(np.int64) >> drop.astype(np.int64)
    unsigned = value >> drop
    return unsigned if field.bits == 64 else unsigned.astype(np.int64)


def _lines(packed: Words, last: Flags, layout: Layout) -> bytes:
    beats = len(packed)
    words = np.zeros((beats, -(-(layout.width + 1) // 64)), np.uint64)
    words[:, : layout.words] = packed
    _put(words, np.asarray(last, np.int64), layout.width, 1)
    text = words[:, ::-1].astype(">u8").tobytes().hex().encode()
    table = np.frombuffer(text, np.uint8).reshape(beats, -1)[:, -layout.digits :]
    newline = np.full((beats, 1), ord("\n"), np.uint8)
    return np.concatenate([table, newline], axis=1).tobytes()


def bits_for(largest: int) -> int:
    """Return the width of an unsigned field that holds 0..largest."""
    return max(math.ceil(math.log2(largest + 1)), 1) if largest < 1 << 50 else largest.bit_length()

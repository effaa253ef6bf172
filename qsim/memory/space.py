"""The memory that a plan is made for: how large, in how many banks, and where tensors may begin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qsim.errors import UsageError

WORD: Final = 8  # bytes of the widest code
CACHE_LINE: Final = 64


@dataclass(frozen=True, slots=True)
class Space:
    """A memory for tensors.

    Attributes:
        bytes: size; 0 is not limited, and has one bank.
        alignment: bytes, a power of two, of which every address is a multiple.
        banks: parts of equal size. A tensor that fits in one lies in one; a larger one begins where
            a bank begins, and takes as many in a row as it needs.

    Raises:
        UsageError: a negative size, an alignment that is no power of two, no banks.
    """

    bytes: int = 0
    alignment: int = CACHE_LINE
    banks: int = 1

    def __post_init__(self) -> None:
        for what, value, holds, accepted in (
            ("bytes", self.bytes, self.bytes >= 0, "0.."),
            (
                "alignment",
                self.alignment,
                self.alignment > 0 and self.alignment & (self.alignment - 1) == 0,
                "a power of two",
            ),
            ("banks", self.banks, self.banks >= 1, "1.."),
        ):
            if not holds:
                raise UsageError(f"{what} of a memory cannot be {value}", accepted=accepted)

    @property
    def limited(self) -> bool:
        """Whether a plan may be too large for it."""
        return self.bytes > 0

    @property
    def bank_bytes(self) -> int | None:
        """Bytes of a bank, or None where tensors see one: banks begin at aligned addresses.

        What is left over belongs to the last.
        """
        if not self.limited or self.banks == 1:
            return None
        grain = max(self.alignment, WORD)
        return self.bytes // self.banks // grain * grain or None

    def holds(self, size: int) -> bool:
        """Return whether it has so many bytes."""
        return not self.limited or size <= self.bytes

    def banks_of(self, offset: int, size: int) -> tuple[int, int]:
        """Return the first and the last bank in which bytes lie; no bytes lie where they begin."""
        if self.bank_bytes is None:
            return 0, 0
        last = offset + max(size, 1) - 1
        return (
            min(offset // self.bank_bytes, self.banks - 1),
            min(last // self.bank_bytes, self.banks - 1),
        )

    def aligned(self, offset: int, alignment: int = 1) -> int:
        """Return the lowest address at or after one, a multiple of both alignments."""
        step = max(self.alignment, alignment)
        return -(-offset // step) * step

    def whole(self) -> Space:
        """Return the same memory as one bank."""
        return Space(self.bytes, self.alignment, 1)

    def open(self) -> Space:
        """Return a memory of the same alignment without a limit."""
        return Space(0, self.alignment, 1)

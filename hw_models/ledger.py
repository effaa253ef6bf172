"""What one call of a primitive did to its registers and to its output range."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hw_models.floats import FLOAT32
from hw_models.formats import signed_bits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hw_models.formats import Accumulator, FixedFormat, Overflow

    Index = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Register:
    """A register of a datapath, and what one call did to it.

    A register is what the contract gives a width and a rule: the accumulator of a target, and the
    32 bits in which gemmlowp shifts. The 64 bits and more in which a model computes are none.

    Attributes:
        name: unique in its call: ``accumulator``, ``left shift``, ``sum of exponentials``.
        bits: its width.
        overflow: what it does with a value that does not fit; a call whose register has the rule
            ``error`` raises and leaves no record.
        minimum, maximum: exact extremes of the values *before* that rule.
        overflows: output elements in which the rule changed something at least once.
        first: index of the first of them, in C order of the call's output, batch included.
        signed: whether it is one of two's complement.
    """

    name: str
    bits: int
    overflow: Overflow
    minimum: int
    maximum: int
    overflows: int = 0
    first: Index | None = None
    signed: bool = True

    @classmethod
    def of(
        cls,
        accumulator: Accumulator,
        ends: tuple[int, int],
        overflows: int = 0,
        first: Index | None = None,
        name: str = "accumulator",
    ) -> Register:
        """Return the record of an accumulator."""
        return cls(name, accumulator.bits, accumulator.overflow, *ends, overflows, first)

    @property
    def bits_used(self) -> int:
        """The narrowest register of its kind that would have held every value: the safe width.

        Where an unsigned register met a negative value, the narrowest signed one.
        """
        if not self.signed and self.minimum >= 0:
            return max(self.maximum.bit_length(), 1)
        # A symmetric register does not hold its most negative code.
        kept = self.overflow == "saturate_symmetric" and self.minimum < 0
        return signed_bits(self.minimum - kept, self.maximum)


@dataclass(slots=True)
class Ledger:
    """The record of one primitive call. Pass one in; the primitive fills it.

    Attributes:
        elements: how many output elements the call produced.
        minimum, maximum: exact extremes of the values *before* the overflow rule of the call's
            accumulator, else before the clamp to its output range. For a ``mac`` accumulator these
            are the extremes over every partial sum, in the stated order, of the unbounded sum. Of
            a call that makes float32 values, those of its result.
        clamped: output elements that the output range or a fused activation clamped.
        first_clamped: index of the first of them, in C order of the output.
        kernel: which kernel computed the call.
        reason: why that kernel is exact here.
        registers: every register of the call's datapath.
    """

    elements: int = 0
    minimum: float = 0
    maximum: float = 0
    clamped: int = 0
    first_clamped: Index | None = None
    kernel: str = ""
    reason: str = ""
    registers: tuple[Register, ...] = ()

    def fill(
        self,
        elements: int,
        ends: tuple[float, float],
        kernel: str,
        reason: str,
        *,
        clamped: int = 0,
        first_clamped: Index | None = None,
        registers: tuple[Register, ...] = (),
    ) -> None:
        """Set everything, so that nothing is left of a call before."""
        self.elements, (self.minimum, self.maximum) = elements, ends
        self.clamped, self.first_clamped = clamped, first_clamped
        self.kernel, self.reason, self.registers = kernel, reason, registers

    def join(self, parts: Mapping[str, Ledger], kernel: str, reason: str) -> None:
        """Set everything from the ledgers of parts; their registers get the parts' names."""
        ledgers = parts.values()
        seen = [part for part in ledgers if part.elements]
        clamped = [part.first_clamped for part in ledgers if part.first_clamped is not None]
        self.fill(
            sum(part.elements for part in ledgers),
            (
                min((part.minimum for part in seen), default=0),
                max((part.maximum for part in seen), default=0),
            ),
            kernel,
            reason,
            clamped=sum(part.clamped for part in ledgers),
            first_clamped=min(clamped, default=None),
            registers=tuple(
                replace(register, name=f"{name} {register.name}")
                for name, part in parts.items()
                for register in part.registers
            ),
        )

    def place(self, where: Callable[[Index], Index]) -> None:
        """Name elements by other indices: ``where`` gives that of the result of the whole call."""
        if self.first_clamped is not None:
            self.first_clamped = where(self.first_clamped)
        self.registers = tuple(
            register if register.first is None else replace(register, first=where(register.first))
            for register in self.registers
        )

    @property
    def overflows(self) -> int:
        """Output elements in which a register's rule changed something, once for each register."""
        return sum(register.overflows for register in self.registers)

    @property
    def first(self) -> Index | None:
        """Index of the first output element that a register's rule or the clamp changed.

        In C order of the call's output, batch included; the same in every primitive. Which of the
        two it was is in ``registers`` and ``first_clamped``.
        """
        places = (*(register.first for register in self.registers), self.first_clamped)
        return min((place for place in places if place is not None), default=None)

    @property
    def bits_used(self) -> int:
        """The narrowest signed register that would have held every value: the safe width.

        Of float32 values their own width.
        """
        if isinstance(self.minimum, int) and isinstance(self.maximum, int):
            return signed_bits(self.minimum, self.maximum)
        return FLOAT32.bits


def fixed_register(
    name: str, form: FixedFormat, ends: tuple[int, int], overflow: Overflow = "error"
) -> Register:
    """Return the record of a register of that format in which nothing overflowed."""
    return Register(name, form.bits, overflow, *ends, signed=form.signed)

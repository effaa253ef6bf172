"""Every register of the schemes, value by value in plain Python integers: the ledger's oracle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import hw_models as hw

Index = tuple[int, ...]


class Held(NamedTuple):
    """One exact value on its way into a register."""

    name: str
    bits: int
    overflow: Any
    value: int
    signed: bool = True

    @property
    def fits(self) -> bool:
        low = -(1 << (self.bits - 1)) if self.signed else 0
        high = (1 << (self.bits - self.signed)) - 1
        return low + (self.overflow == "saturate_symmetric") <= self.value <= high


class Registers:
    """The records that a ledger must hold, from the values of every output element."""

    def __init__(self, none: Iterable[Held] = ()) -> None:
        """``none``: the registers of a call without elements; their values do not count."""
        self._empty = {h.name: hw.Register(h.name, h.bits, h.overflow, 0, 0, signed=h.signed)
                       for h in none}  # fmt: skip
        self._found: dict[str, hw.Register] = {}

    def hold(self, index: Index, values: Iterable[Held]) -> None:
        """Record what one output element writes; elements come in any order."""
        over: set[str] = set()
        for held in values:
            known = self._found.get(held.name)
            counted = not held.fits and held.name not in over
            over |= {held.name} if counted else set()
            self._found[held.name] = hw.Register(
                held.name,
                held.bits,
                held.overflow,
                min(held.value, known.minimum if known else held.value),
                max(held.value, known.maximum if known else held.value),
                (known.overflows if known else 0) + counted,
                _first(known.first if known else None, index if counted else None),
                held.signed,
            )

    def merge(self, part: hw.Register) -> None:
        """Add the record of some of the elements."""
        known = self._found.get(part.name)
        self._found[part.name] = (
            part
            if known is None
            else hw.Register(
                part.name,
                part.bits,
                part.overflow,
                min(part.minimum, known.minimum),
                max(part.maximum, known.maximum),
                part.overflows + known.overflows,
                _first(part.first, known.first),
                part.signed,
            )
        )

    @property
    def all(self) -> tuple[hw.Register, ...]:
        return tuple((self._found or self._empty).values())


def _first(one: Index | None, other: Index | None) -> Index | None:
    return min((place for place in (one, other) if place is not None), default=None)


def wrapped(value: int, bits: int) -> int:
    """Two's complement of that width."""
    return (value + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def of_accumulator(accumulator: hw.Accumulator, total: int) -> list[Held]:
    return [Held("accumulator", accumulator.bits, accumulator.overflow, total)]


def of_requantizer(scheme: Any, x: int, channel: int = 0) -> list[Held]:
    """The registers of a requantizer, which is given ``x`` less its zero point."""
    match scheme:
        case hw.FixedPoint(rounding="double" | "double-half-up", bits=bits):
            return _gemmlowp(x, *_parameters(scheme, channel), bits - 1)
        case hw.FixedPoint(rounding="tosa-single" | "tosa-double", bits=bits):
            y = scheme.reference(x, channel)
            return [Held("operand", 32 if bits == 32 else 48, "error", x),
                    Held("result", 32, "error", y)]  # fmt: skip
        case hw.FixedPoint(rounding="single" | "s64-reduced"):
            return []
        case hw.PowerOfTwo() | hw.MulAddShift() | hw.Converter():
            return []
        case hw.FloatScale() | hw.Float64Scale() | hw.Division() | None:
            return []
    raise AssertionError(f"say which registers {scheme!r} has")


def _parameters(scheme: hw.FixedPoint, channel: int) -> tuple[int, int]:
    column = channel if scheme.channels else 0
    return int(scheme.multipliers[column]), int(scheme.shifts[column])


def _gemmlowp(x: int, m: int, s: int, n: int) -> list[Held]:
    shifted = x << max(n - s, 0)
    product = wrapped(shifted, 32) * m
    nudged = product + ((1 << (n - 1)) if product >= 0 else 1 - (1 << (n - 1)))
    high = abs(nudged) >> n  # C's division truncates
    return [
        Held("left shift", 32, "wrap", shifted),
        Held("high product", 32, "saturate", high if nudged >= 0 else -high),
    ]


def of_adder(adder: Any, p: int, q: int, *, subtract: bool = False) -> list[Held]:
    """The registers of an addition of two codes less their zero points.

    ``subtract``: the rescaled q is subtracted; a q that is negated before comes negated.
    """
    match adder:
        case hw.AlignedAdd():
            return of_accumulator(adder.accumulator, (p << adder.left_a) + (q << adder.left_b))
        case hw.ShiftedAdd():
            a, b = p << adder.left_shift, q << adder.left_shift
            u, v = adder.a.reference(a), adder.b.reference(b)
            total = u - v if subtract else u + v
            parts = (("a", "shifted a", a), ("b", "shifted b", b), ("out", "sum", total))
            found = []
            for (name, operand, value), scheme in zip(
                parts, (adder.a, adder.b, adder.out), strict=True
            ):
                found.append(Held(operand, 32, "error", value))
                inner = of_requantizer(scheme, value)
                found += [held._replace(name=f"{name} {held.name}") for held in inner]
            return found
        case hw.MultiplierAdd() | hw.FloatAdd():
            return []
    raise AssertionError(f"say which registers {adder!r} has")


def of_interpolation(
    x: int, table: Sequence[int], codes: hw.FixedFormat, entries: hw.FixedFormat, result: str
) -> list[Held]:
    if result == "exact":
        return []
    assert result == "rounded", f"say which registers {result!r} has"
    width = (codes.max - codes.min + 1) // (len(table) - 1)
    index, rest = divmod(x - codes.min, width)
    slope = table[index + 1] - table[index]
    kept = wrapped(slope, entries.bits) if entries.signed else slope % (1 << entries.bits)
    y = table[index] + (2 * kept * rest + width) // (2 * width)
    return [Held("slope", entries.bits, "wrap", slope, entries.signed),
            Held("result", entries.bits, "wrap", y, entries.signed)]  # fmt: skip


def no_sum(scheme: Any) -> list[Held]:
    """Return the register of a row that shows nothing."""
    floats = isinstance(scheme, hw.FloatSoftmax)
    return [] if floats else [Held("sum of exponentials", 32, "error", 0)]


def of_softmax(scheme: Any, row: Sequence[int]) -> list[Held]:
    top = max(row)
    match scheme:
        case hw.FixedSoftmax():
            terms = [scheme.term(code - top) for code in row]
            total = sum((term + (1 << 11)) >> 12 for term in terms if term >= 0)
        case hw.TableSoftmax() | hw.IbertSoftmax():
            total = sum(scheme.term(code - top) for code in row)
        case hw.FloatSoftmax():
            return []
        case _:
            raise AssertionError(f"say which registers {scheme!r} has")
    return [Held("sum of exponentials", 32, "error", total)]

"""Formats of codes and of accumulators: value objects, shared by every primitive.

A *code* is the integer that a register holds. Its real value is ``code / 2**fraction`` in a
fixed-point format, or ``scale * (code - zero_point)`` in a quantized tensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast, get_args, overload

import numpy as np
import numpy.typing as npt

from hw_models.errors import ContractError, no_case
from hw_models.tracing import step

if TYPE_CHECKING:
    from collections.abc import Callable

IntArray: TypeAlias = npt.NDArray[np.integer]
FloatArray: TypeAlias = npt.NDArray[np.floating]
Overflow: TypeAlias = Literal["wrap", "saturate", "saturate_symmetric", "error"]
At: TypeAlias = Literal["mac", "sum"]
Order: TypeAlias = Literal["channel_first", "channel_last"]
Select: TypeAlias = "Callable[[Any, Any, Any], Any]"

OVERFLOWS: Final[tuple[Overflow, ...]] = get_args(Overflow)
# Rules under which a register holds something of every sum; the others raise.
HOLDING: Final[tuple[Overflow, ...]] = ("wrap", "saturate", "saturate_symmetric")
RAISING: Final[tuple[Overflow, ...]] = ("error",)
ATS: Final[tuple[At, ...]] = get_args(At)
ORDERS: Final[tuple[Order, ...]] = get_args(Order)


def _require(ok: bool, rule: str, offender: object, accepted: str) -> None:
    if not ok:
        raise ContractError(f"{rule}, not {offender!r} (accepted: {accepted})")


def if_else(condition: Any, then: Any, other: Any) -> Any:
    """Choose as Python does; an SMT solver passes its own ``If`` instead."""
    return then if condition else other


def clamped(value: Any, low: Any, high: Any, select: Select = if_else) -> Any:
    """Return the value, or the limit that it is beyond."""
    inside = select(value < low, low, select(value > high, high, value))
    return step(inside, "clamp", low, "..", high)


def is_int(value: object) -> bool:
    """Return whether value is an integer and not a bool (which is an int to Python)."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))


@dataclass(frozen=True, slots=True)
class FixedFormat:
    """The codes that a register of ``bits`` bits can hold.

    Attributes:
        bits: width, 1 to 64 (operands of the primitives: 1 to 32).
        signed: two's complement if true.
        fraction: fraction bits; informative, the codes do not depend on it.
        narrow: the most negative code of a signed format is not used (symmetric range).
    """

    bits: int = 8
    signed: bool = True
    fraction: int = 0
    narrow: bool = False

    def __post_init__(self) -> None:
        _require(
            is_int(self.bits) and 1 <= self.bits <= 64,
            "FixedFormat.bits must be an integer from 1 to 64",
            self.bits,
            "1..64",
        )
        _require(
            isinstance(self.signed, (bool, np.bool_)),
            "FixedFormat.signed must be a bool",
            self.signed,
            "true or false",
        )
        _require(
            is_int(self.fraction),
            "FixedFormat.fraction must be an integer",
            self.fraction,
            "any integer",
        )
        _require(
            isinstance(self.narrow, (bool, np.bool_))
            and (not self.narrow or bool(self.signed and self.bits > 1)),
            "FixedFormat.narrow needs a signed format of 2 bits or more",
            self.narrow,
            "narrow=False, or signed=True with bits >= 2",
        )
        # A NumPy integer would compute in its own few bits.
        object.__setattr__(self, "signed", bool(self.signed))
        object.__setattr__(self, "narrow", bool(self.narrow))
        object.__setattr__(self, "bits", int(self.bits))
        object.__setattr__(self, "fraction", int(self.fraction))

    @property
    def min(self) -> int:
        """The smallest code."""
        return -(1 << (self.bits - 1)) + int(self.narrow) if self.signed else 0

    @property
    def max(self) -> int:
        """The largest code."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    @property
    def dtype(self) -> np.dtype[np.integer]:
        """The smallest NumPy integer type that holds every code."""
        container = next(width for width in (8, 16, 32, 64) if self.bits <= width)
        return np.dtype(f"{'' if self.signed else 'u'}int{container}")

    @overload
    def fits(self, x: int) -> bool: ...
    @overload
    def fits(self, x: IntArray) -> bool: ...
    def fits(self, x: int | IntArray) -> bool:
        """Return whether x, or every element of it, is a code of this format."""
        array = np.asarray(x)
        return array.size == 0 or (int(array.min()) >= self.min and int(array.max()) <= self.max)

    @overload
    def wrap(self, x: int) -> int: ...
    @overload
    def wrap(self, x: IntArray) -> IntArray: ...
    def wrap(self, x: int | IntArray) -> int | IntArray:
        """Keep the low ``bits`` bits: two's complement wrap-around (narrow is not applied)."""
        if isinstance(x, (int, np.integer)):
            low = int(x) & ((1 << self.bits) - 1)
            return low - (1 << self.bits) if self.signed and low >> (self.bits - 1) else low
        # 64-bit two's complement first: its low bits are all that the narrower ring needs.
        bits64 = np.asarray(x).astype(np.uint64, copy=False)
        drop = np.uint64(64 - self.bits)
        lifted = bits64 << drop
        if self.signed:
            return cast("IntArray", (lifted.view(np.int64) >> np.int64(drop)).astype(self.dtype))
        return cast("IntArray", (lifted >> drop).astype(self.dtype))

    @overload
    def saturate(self, x: int) -> int: ...
    @overload
    def saturate(self, x: IntArray) -> IntArray: ...
    def saturate(self, x: int | IntArray) -> int | IntArray:
        """Replace what is out of range with the nearest code."""
        if isinstance(x, (int, np.integer)):
            return min(max(int(x), self.min), self.max)
        array = np.asarray(x)
        if array.dtype == object:
            return np.clip(array, self.min, self.max).astype(self.dtype)
        info = np.iinfo(array.dtype)
        low, high = max(self.min, int(info.min)), min(self.max, int(info.max))
        # A format wholly outside the container cannot occur: both contain 0.
        return cast("IntArray", np.clip(array, low, high).astype(self.dtype))


@dataclass(frozen=True, slots=True)
class Accumulator:
    """A signed register in which products or sums are collected.

    Attributes:
        bits: width, 2 to 64.
        overflow: ``wrap`` (two's complement), ``saturate``, ``saturate_symmetric`` (the code
            ``-2**(bits-1)`` is not used) or ``error`` (raises and says which element).
        at: ``mac`` applies the overflow after every multiply-accumulate, in ``order``;
            ``sum`` applies it once to the exact sum.
        order: in which order a ``mac`` accumulator takes the products of one output.
            ``channel_first``: input channel outermost, then kernel positions in row-major order
            (weights in O, C, *kernel memory order). ``channel_last``: kernel positions outermost
            and input channel innermost (O, *kernel, C memory order).
    """

    bits: int = 32
    overflow: Overflow = "wrap"
    at: At = "sum"
    order: Order = "channel_first"

    def __post_init__(self) -> None:
        _require(
            is_int(self.bits) and 2 <= self.bits <= 64,
            "Accumulator.bits must be an integer from 2 to 64",
            self.bits,
            "2..64",
        )
        object.__setattr__(self, "bits", int(self.bits))  # as FixedFormat's
        for field, accepted in (("overflow", OVERFLOWS), ("at", ATS), ("order", ORDERS)):
            value = getattr(self, field)
            _require(
                isinstance(value, str) and value in accepted,
                f"Accumulator.{field} must be one of its names",
                value,
                ", ".join(accepted),
            )

    @property
    def format(self) -> FixedFormat:
        """The codes that the register can hold."""
        match self.overflow:
            case "saturate_symmetric":
                return FixedFormat(self.bits, narrow=True)
            case "wrap" | "saturate" | "error":
                return FixedFormat(self.bits)
            case _:
                raise ContractError(no_case(self.overflow, "Accumulator.overflow", OVERFLOWS))

    @property
    def saturates(self) -> bool:
        """Whether the rule replaces what does not fit with the nearest code."""
        match self.overflow:
            case "saturate" | "saturate_symmetric":
                return True
            case "wrap" | "error":
                return False
            case _:
                raise ContractError(no_case(self.overflow, "Accumulator.overflow", OVERFLOWS))

    @property
    def wraps(self) -> bool:
        """Whether the rule keeps the low bits of what does not fit."""
        match self.overflow:
            case "wrap":
                return True
            case "saturate" | "saturate_symmetric" | "error":
                return False
            case _:
                raise ContractError(no_case(self.overflow, "Accumulator.overflow", OVERFLOWS))

    @property
    def each_mac(self) -> bool:
        """Whether the rule applies after every multiply-accumulate, and not to the sum alone."""
        match self.at:
            case "mac":
                return True
            case "sum":
                return False
            case _:
                raise ContractError(no_case(self.at, "Accumulator.at", ATS))

    @property
    def min(self) -> int:
        """The smallest value that is not an overflow."""
        return self.format.min

    @property
    def max(self) -> int:
        """The largest value that is not an overflow."""
        return self.format.max

    def hold(self, total: Any, select: Select = if_else) -> Any:
        """Return what the register holds of an exact sum: an integer, or a wider bit-vector.

        Rule ``error`` wraps here; who wants the error raises it.
        """
        if not self.saturates:
            sign = 1 << (self.bits - 1)
            wrapped = ((total & ((1 << self.bits) - 1)) ^ sign) - sign
            return step(wrapped, "register", self.bits, " bits that wrap")
        return step(clamped(total, self.min, self.max, select), "register", self.overflow)

    @property
    def dtype(self) -> np.dtype[np.integer]:
        """The NumPy type of what the primitives return: int32 up to 32 bits, else int64."""
        return np.dtype(np.int32 if self.bits <= 32 else np.int64)


def signed_bits(minimum: int, maximum: int) -> int:
    """Return the width of the narrowest two's complement register for minimum..maximum."""
    magnitude = max(maximum, -minimum - 1, 0)
    return magnitude.bit_length() + 1

"""Accumulating primitives: registers near their limits, and what a comparison of sums asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from tests.hw_models.soak.comparing import difference, ledger_difference
from tests.hw_models.soak.drawing import pick

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Rng


@dataclass
class Sums:
    """Results of an accumulating primitive, and what its ledger must say."""

    values: Any
    flags: Any
    minimum: int
    maximum: int
    offender: tuple[tuple[int, ...], int] | None  # first element that left, and its value

    @property
    def first(self) -> tuple[int, ...] | None:
        return self.offender[0] if self.offender else None


class Register:
    """A whole array of accumulators, taking terms one after another."""

    def __init__(self, shape: tuple[int, ...], kind: Any, bits: int, overflow: str) -> None:
        self.values = np.zeros(shape, kind)
        self.exact = np.zeros(shape, kind)
        self.flags = np.zeros(shape, bool)
        self.offenders = np.zeros(shape, object)
        self.bits, self.overflow, self.kind = bits, overflow, kind
        self.seen: list[int] = []

    def take(self, term: Any) -> None:
        self.values = self.values + term
        self.exact = self.exact + term

    def settle(self) -> None:
        if not self.values.size:
            return
        self.seen += [int(self.exact.min()), int(self.exact.max())]
        half = 2 ** (self.bits - 1)
        low = -half + (self.overflow == "saturate_symmetric")
        high = half - 1
        if low <= int(self.values.min()) and int(self.values.max()) <= high:
            return
        over = np.asarray((self.values < low) | (self.values > high), bool)
        fresh = over & ~self.flags
        self.offenders[fresh] = self.values[fresh]
        self.flags |= over
        if self.overflow == "wrap":
            self.values = (self.values + half) % (2 * half) - half
        else:
            self.values = np.minimum(np.maximum(self.values, low), high)

    def result(self) -> Sums:
        where = np.argwhere(self.flags)
        offender = None
        if len(where):
            first = tuple(int(i) for i in where[0])
            offender = (first, int(self.offenders[first]))
        ends = self.seen or [0]
        return Sums(self.values, self.flags, min(ends), max(ends), offender)


def largest(a: Any, zero: int) -> int:
    return max((abs(int(end) - zero) for end in (a.min(), a.max())), default=0) if a.size else 0


def register_near(rng: Rng, scheme: str, reach: int) -> hw.Accumulator:
    """A width near what the sums reach, or any."""
    overflow, at, *order = scheme.split("-")
    near = max(2, min(64, reach.bit_length() + int(rng.integers(-4, 3))))
    bits = pick(rng, near, near, near, 32, int(rng.integers(2, 65)))
    return hw.Accumulator(bits, overflow, at, order[0] if order else "channel_first")


def compare_sums(call: Any, reference: Any, sums: Sums, register: hw.Accumulator) -> str | None:
    """``call`` and ``reference`` take a ledger or None; reference None: left out."""
    for what, function in (("kernel", call), ("reference", reference)):
        for ledger in (None, hw.Ledger()):
            if function is None or (what == "reference" and ledger is None):
                continue
            label = what if ledger is None else f"{what} with a ledger"
            try:
                actual = function(ledger)
            except hw.AccumulatorOverflowError as error:
                if register.overflow != "error" or sums.offender is None:
                    return f"{label}: raised {error}, the oracle does not"
                if (error.index, error.value) != sums.offender:
                    return f"{label}: raised {error}, the oracle says {sums.offender}"
                continue
            if register.overflow == "error" and sums.offender is not None:
                return f"{label}: did not raise, the oracle says {sums.offender}"
            problem = difference(label, actual, sums.values)
            if problem is None and actual.dtype != register.dtype:
                problem = f"{label}: dtype {actual.dtype}, not {register.dtype}"
            if problem is None and ledger is not None:
                problem = ledger_difference(
                    ledger,
                    elements=sums.values.size,
                    first=sums.first,
                    minimum=sums.minimum,
                    maximum=sums.maximum,
                    clamped=0,
                    registers=(
                        hw.Register.of(
                            register,
                            (sums.minimum, sums.maximum),
                            int(sums.flags.sum()),
                            sums.first,
                        ),
                    ),
                )
                problem = problem and f"{label}: {problem} ({ledger.kernel})"
            if problem:
                return problem
    return None

"""How results are compared: to the bit, shape, type and ledger included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import hw_models as hw


def difference(what: str, actual: Any, expected: Any) -> str | None:
    """None where both are equal to the bit, shape included."""
    a, b = np.asarray(actual), np.asarray(expected)
    if a.shape != b.shape:
        return f"{what}: shape {a.shape}, the oracle says {b.shape}"
    same = a == b
    if bool(np.all(same)):
        return None
    at = tuple(int(i) for i in np.argwhere(~same)[0])
    return f"{what}: {a[at]} at {at}, the oracle says {b[at]} ({int((~same).sum())} differ)"


def ledger_difference(ledger: hw.Ledger, **expected: Any) -> str | None:
    for name, value in expected.items():
        actual = getattr(ledger, name)
        if actual != value:
            return f"ledger.{name}: {actual}, the oracle says {value}"
    return None


def smallest(pairs: Any) -> str:
    """The mismatching element of least magnitude."""
    return f"smallest: {min(pairs, key=lambda pair: abs(pair[0]))}" if pairs else ""


def element_ledger(
    values: list[int], low: int, high: int, shape: tuple[int, ...]
) -> tuple[list[int], dict[str, Any]]:
    """Clamp in C order; what the ledger of a clamping primitive must then hold."""
    out = [min(max(v, low), high) for v in values]
    changed = [i for i, (v, y) in enumerate(zip(values, out, strict=True)) if v != y]
    first = tuple(int(i) for i in np.unravel_index(changed[0], shape)) if changed else None
    return out, {
        "elements": len(values),
        "minimum": min(values, default=0),
        "maximum": max(values, default=0),
        "clamped": len(changed),
        "first_clamped": first,
        "registers": (),
    }


@dataclass
class Check:
    """An element-wise primitive that clamps: what it must have made.

    Attributes:
        name: of the primitive.
        values: exact results before the clamp, in C order.
        limits: smallest and largest code.
        form: the output's format.
        shape: of the result.
    """

    name: str
    values: list[int]
    limits: tuple[int, int]
    form: hw.FixedFormat
    shape: tuple[int, ...]

    def problem(
        self, defined: list[int], ledger: hw.Ledger, *results: Any, **counted: Any
    ) -> str | None:
        """Compare the results of calls with and without a ledger, the definition and the ledger.

        ``counted``: what the ledger has of something else than the values.
        """
        expected, book = element_ledger(self.values, *self.limits, self.shape)
        want = np.array(expected, self.form.dtype).reshape(self.shape)
        for number, result in enumerate(results):
            label = f"{self.name}, call {number}"
            found = difference(label, result, want)
            if found is None and result.dtype != self.form.dtype:
                found = f"{label}: dtype {result.dtype}, not {self.form.dtype}"
            if found:
                return f"{found} {self._smallest(result, defined)}"
        if defined != expected:
            return f"reference differs {self._smallest(want, defined)}"
        return ledger_difference(ledger, **book | counted)

    def _smallest(self, result: Any, defined: list[int]) -> str:
        rows = zip(self.values, np.asarray(result).reshape(-1).tolist(), defined, strict=False)
        return smallest(
            [
                (value, f"at {i}: the call has {y}, reference {r}")
                for i, (value, y, r) in enumerate(rows)
                if not min(max(value, self.limits[0]), self.limits[1]) == y == r
            ]
        )


def refusal(call: Callable[[], Any], kind: type[Exception], index: tuple[int, ...]) -> str | None:
    """None where the call raises that error and names the index."""
    try:
        call()
    except kind as error:
        return None if str(index) in str(error) else f"{error!r}, the oracle says {index}"
    return f"not refused, the oracle says {kind.__name__} at {index}"


def spot(position: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index of a position in C order."""
    return tuple(int(i) for i in np.unravel_index(position, shape))


def limits(form: hw.FixedFormat, clamp: tuple[int, int] | None) -> tuple[int, int]:
    """Smallest and largest code after a fused activation."""
    return (
        (form.min, form.max)
        if clamp is None
        else (form.saturate(clamp[0]), form.saturate(clamp[1]))
    )

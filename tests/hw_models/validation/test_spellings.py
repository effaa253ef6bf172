"""One argument spelled otherwise: NumPy's scalars, the other byte order. The result is the same."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import hw_models as hw
from tests.hw_models.validation.test_validation import TARGETS


def spellings(value: Any) -> Iterator[tuple[Any, Any]]:
    """Give pairs of a value and another spelling of it."""
    match value:
        case bool():
            yield True, np.True_
            yield False, np.False_
        case int():
            fitting = [kind for kind in (np.int8, np.int64) if np.iinfo(kind).max >= abs(value)]
            yield from ((value, kind(value)) for kind in fitting)
        case float():
            yield value, np.float64(value)
        case str():
            yield value, np.str_(value)
        case tuple() if value and all(type(item) is int for item in value):
            yield value, tuple(map(np.int64, value))
        case list() if value and all(isinstance(item, np.ndarray) for item in value):
            native, other = zip(*map(swapped, value), strict=True)
            yield list(native), list(other)
        case np.ndarray() if value.dtype.kind in "iuf":
            yield tuple(swapped(value))


def swapped(array: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """Return the array, of two bytes or more an element, in both byte orders."""
    kind = array.dtype if array.dtype.itemsize > 1 else np.dtype("i2")
    wide = array.astype(kind)
    return [wide, wide.astype(kind.newbyteorder(">"))]


def plain(value: Any) -> Any:
    """Return a result as what can be compared; a plan is one thing or another."""
    if isinstance(value, np.ndarray):
        assert value.dtype.isnative, "the result has the other byte order"
        return value.dtype, value.shape, value.tolist()
    if isinstance(value, (list, tuple)):
        return type(value), [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value), [plain(getattr(value, f.name)) for f in dataclasses.fields(value)]
    return value if isinstance(value, (int, float, str, np.generic)) else type(value)


def arguments(name: str) -> dict[str, Any]:
    """Return what a callable is given, and the defaults of what it is not."""
    parameters = inspect.signature(TARGETS[name].call).parameters.values()
    return {p.name: p.default for p in parameters} | TARGETS[name].good


def outcome(name: str, argument: str, value: Any) -> Any:
    target = TARGETS[name]
    ledger = hw.Ledger()
    more = {"ledger": ledger} if "ledger" in target.bad else {}
    try:
        made = plain(target.call(**target.good | more | {argument: value}))
    except hw.ContractError:
        return "refused"
    return made, plain(ledger)


@pytest.mark.parametrize("name", TARGETS)
def test_other_spellings_of_an_argument_are_the_same(name: str) -> None:
    found = []
    for argument, value in arguments(name).items():
        for one, other in spellings(value):
            try:
                same = outcome(name, argument, one) == outcome(name, argument, other)
            except Exception as error:  # whatever comes out is the finding
                found.append(f"{argument}={other!r:.60}: {type(error).__name__}: {error!s:.150}")
                continue
            if not same:
                found.append(f"{argument}={other!r:.60}: another result")
    assert found == []

"""A callable with arguments that it must refuse, and what it makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hw_models as hw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


REFUSALS = (
    hw.ContractError,
    hw.AccumulatorOverflowError,
    hw.IndexRangeError,
    hw.NonFiniteError,
)


@dataclass(frozen=True)
class Target:
    """A callable, arguments that it accepts, and what each must refuse."""

    call: Callable[..., Any]
    good: dict[str, Any]
    bad: dict[str, list[Any]]


def problem_of(target: Target, arguments: dict[str, Any], *, must_refuse: bool) -> str | None:
    """Call, and say what is wrong with what comes out."""
    try:
        target.call(**arguments)
    except REFUSALS as error:
        text = str(error)
        if "\n" in text or len(text) > 600:
            return f"not one short line: {text!r:.200}"
        if "accept" not in text or (
            not ("not " in text or "too large" in text) and isinstance(error, hw.ContractError)
        ):
            return f"names no offender or nothing accepted: {text!r}"
        return None
    except Exception as error:  # any other exception is the finding
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''!s:.120}"
    return "accepted" if must_refuse else None


def findings(name: str, target: Target) -> Iterator[str]:
    assert problem_of(target, target.good, must_refuse=False) is None
    for argument, values in target.bad.items():
        for value in values:
            problem = problem_of(target, target.good | {argument: value}, must_refuse=True)
            if problem:
                yield f"{name}({argument}={value!r:.60}): {problem}"

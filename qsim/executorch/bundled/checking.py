"""Cases of a bundled program, recorded from the interpreter and compared with it, to the bit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from qsim.errors import QsimError
from qsim.executorch.bundled.case import BundledCase
from qsim.executorch.inputs import shown
from qsim.executorch.pte import usual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.executorch.bundled.values import CaseValue
    from qsim.executorch.loading import Pte


@dataclass(frozen=True, slots=True)
class Difference:
    """Where an output differs from what a case expects.

    Attributes:
        output: which one.
        index: of the first element that differs, in C order; empty where ``reason`` is set.
        expected, got: its two values.
        count: how many elements differ.
        total: how many were compared.
        reason: why the two cannot be compared element by element (type, shape), else "".
    """

    output: int
    index: tuple[int, ...] = ()
    expected: CaseValue | None = None
    got: CaseValue | None = None
    count: int = 0
    total: int = 0
    reason: str = ""

    def __str__(self) -> str:
        if self.reason:
            return f"output {self.output}: {self.reason}"
        return (
            f"output {self.output}: first difference at {list(self.index)}: expected "
            f"{self.expected}, got {self.got}; {self.count:,} of {self.total:,} elements differ"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "output": self.output,
            "index": list(self.index),
            "expected": _json(self.expected),
            "got": _json(self.got),
            "count": self.count,
            "total": self.total,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What one case gave.

    Attributes:
        method: which it calls.
        index: its number among the cases of that method, as ExecuTorch counts.
        compared: whether the case says what to expect.
        outputs: what came out.
        differences: the outputs that differ, in order.
    """

    method: str
    index: int
    compared: bool
    outputs: tuple[Any, ...]
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing differs; true of a case that expects nothing."""
        return not self.differences


def record_case(pte: Pte, *inputs: Any, method: str | None = None) -> BundledCase:
    """Run a method and return the call as a case.

    Args:
        pte: the program.
        inputs: as for calling it.
        method: its name; None for ``forward``, or for the only one.

    Raises:
        QsimError: as for calling it.
    """
    name = method
    if name is None:
        name = usual(pte.methods)
    made = _listed(pte(*inputs, method=name))
    return BundledCase(name, inputs, tuple(made))


def check(cases: Sequence[BundledCase], pte: Pte) -> list[CaseResult]:
    """Run cases in order, on one program, whose buffers keep their state; compare every bit.

    Raises:
        QsimError: the program does not take a case's inputs, or cannot run.
    """
    counts: dict[str, int] = {}
    results = []
    for case in cases:
        index = counts[case.method] = counts.get(case.method, -1) + 1
        try:
            made = _listed(pte(*case.inputs, method=case.method))
        except QsimError as error:
            error.where = f"{case.method}: case {index}: {error.where}".removesuffix(": ")
            raise
        compared = case.expected is not None
        differences = _differences(case.expected or (), made) if compared else ()
        results.append(CaseResult(case.method, index, compared, tuple(made), tuple(differences)))
    return results


def _listed(made: Any) -> list[Any]:
    if made is None:
        return []
    return list(made) if isinstance(made, tuple) else [made]


def _differences(expected: Sequence[Any], made: Sequence[Any]) -> list[Difference]:
    if len(expected) != len(made):
        text = f"{len(made)} outputs came out, {len(expected)} are expected"
        return [Difference(min(len(expected), len(made)), reason=text)]
    found = (
        difference(output, *pair) for output, pair in enumerate(zip(expected, made, strict=True))
    )
    return [item for item in found if item is not None]


def difference(output: int, expected: Any, got: Any) -> Difference | None:
    """Compare one output with what is expected of it.

    Floats are compared by their bits, so that 0.0 is not -0.0; one NaN is as good as another.
    """
    kinds = [_kind(value) for value in (expected, got)]
    if kinds[0] != kinds[1]:
        return Difference(output, reason=f"is {kinds[1]}, {kinds[0]} is expected")
    wanted, found = _bits(expected), _bits(got)
    differing = wanted != found
    if _is_float(expected):
        differing &= ~(torch.isnan(_wide(expected)) & torch.isnan(_wide(got)))
    places = torch.nonzero(differing)
    if not len(places):
        return None
    index = tuple(int(at) for at in places[0])
    first, second = (_wide(value)[index].item() for value in (expected, got))
    return Difference(output, index, first, second, len(places), wanted.numel())


def _wide(value: Any) -> torch.Tensor:
    """Return a tensor as it is; a number in the type that holds all of its bits."""
    if isinstance(value, torch.Tensor):
        return value
    return torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else None)


def _bits(value: Any) -> torch.Tensor:
    tensor = _wide(value).contiguous()
    return tensor.view(getattr(torch, f"int{8 * tensor.dtype.itemsize}"))


def _is_float(value: Any) -> bool:
    return _wide(value).is_floating_point()


def _json(value: Any) -> Any:
    # JSON has no NaN and no infinities.
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _kind(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return shown(value)
    return type(value).__name__

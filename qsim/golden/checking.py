"""Golden sets computed anew and compared, element by element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsim.errors import FileFormatError, QsimError
from qsim.golden.sets import GoldenSet, load, require_target
from qsim.golden.single import compute
from qsim.mismatch import Mismatch, compare

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from qsim.golden.case import Case
    from qsim.target import Target


@dataclass(frozen=True, slots=True)
class Result:
    """One case, computed anew.

    Attributes:
        name, layer, primitive: of the case.
        elements: of its output.
        mismatch: where the output differs, or None.
    """

    name: str
    layer: str
    primitive: str
    elements: int
    mismatch: Mismatch | None


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found: one result per case, in order."""

    golden: GoldenSet
    results: tuple[Result, ...]

    @property
    def ok(self) -> bool:
        """Whether every element of every case agrees."""
        return not self.differing

    @property
    def differing(self) -> tuple[Result, ...]:
        """The cases that differ."""
        return tuple(result for result in self.results if result.mismatch is not None)

    @property
    def elements(self) -> int:
        """How many elements were compared."""
        return sum(result.elements for result in self.results)


def check(
    golden: str | PathLike[str] | GoldenSet,
    *,
    target: Target | None = None,
    progress: Callable[[Case], None] | None = None,
) -> Checked:
    """Compute every case of a set with hw_models and compare it with what the set expects.

    Args:
        golden: a set or its folder.
        target: if given, the contract that the set must have been made for.
        progress: called with each case that was compared.

    Raises:
        FileFormatError: the set is changed, damaged or incomplete, or a case cannot be computed.
        UsageError: it was made for another target.
    """
    held = golden if isinstance(golden, GoldenSet) else load(golden)
    require_target(held, target)
    results = []
    for case in held.cases:
        results.append(_check(case, held))
        if progress is not None:
            progress(case)
    return Checked(held, tuple(results))


def _check(case: Case, golden: GoldenSet) -> Result:
    try:
        made = compute(case)
    except QsimError as error:
        raise FileFormatError(
            error.message,
            where=f"{golden.directory}: case {case.name!r}",
            accepted=error.accepted,
        ) from None
    mismatch = compare(case.expected, made, bits=case.formats["output"].bits)
    return Result(case.name, case.layer, case.primitive, case.expected.size, mismatch)

"""``qsim run net.pte --compare OTHER``: two programs, operator by operator, every bit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsim.cli.program_names import is_executorch
from qsim.errors import InputError

if TYPE_CHECKING:
    from qsim.cli.output import Output
    from qsim.cli.pte.opening import Opened
    from qsim.cli.pte.work import Work
    from qsim.cli.run_options import RunOptions
    from qsim.executorch import Comparison
    from qsim.executorch.comparing import Row


@dataclass
class Difference:
    """A row of the table: an operator over all calls.

    Attributes:
        row: of the first call in which it differs, else of the first call.
        call: which call that is.
        elements, differing: of all calls.
        largest: of all calls; None where there is no number for it.
    """

    row: Row
    call: int
    elements: int
    differing: int
    largest: float | int | None

    def add(self, row: Row, call: int) -> None:
        """Add the same operator in a later call."""
        if row.differing and not self.differing:
            self.row, self.call = row, call
        self.elements += row.elements
        self.differing += row.differing
        if row.largest is not None:
            self.largest = max(self.largest or 0, row.largest)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        row = self.row
        return {
            "name": row.name,
            "operator": row.operator,
            "partner": row.partner,
            "dtype": row.dtype,
            "shape": row.shape,
            "elements": self.elements,
            "differing": self.differing,
            "first": None
            if row.index is None
            else {
                "call": self.call,
                "index": list(row.index),
                "left": _json(row.left),
                "right": _json(row.right),
            },
            "largest": _json(self.largest),
        }


@dataclass
class Compared:
    """What all calls gave.

    Attributes:
        differences: one for each row of a comparison.
        alone: what has no partner, on the left and on the right.
    """

    differences: list[Difference] = field(default_factory=list)
    alone: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    def add(self, found: Comparison, call: int) -> None:
        """Add one call."""
        if not self.differences:
            self.alone = found.alone
            self.differences = [
                Difference(row, call, row.elements, row.differing, row.largest)
                for row in found.rows
            ]
            return
        for known, row in zip(self.differences, found.rows, strict=True):
            known.add(row, call)

    @property
    def equal(self) -> bool:
        """Whether everything that has a partner is equal in every bit."""
        return not any(each.differing for each in self.differences)


def compare_programs(opened: Opened, options: RunOptions, work: Work, output: Output) -> Compared:
    """Run a program and another on the same samples, and compare.

    Raises:
        QsimError: the other cannot be loaded, or takes other inputs.
    """
    from qsim.executorch import compare

    assert options.compare is not None  # noqa: S101 - asked by the caller
    other = _other(options.compare, opened, options, output)
    found = Compared()
    with output.stage("comparing", len(work.calls)) as advance:
        for number, call in enumerate(work.calls):
            try:
                found.add(compare(opened.pte, other, call, method=opened.method.name), number)
            except InputError as error:
                where = f"--compare {options.compare}: {error.where}".removesuffix(": ")
                raise InputError(error.message, where=where, accepted=error.accepted) from None
            advance(1)
    return found


def _other(name: str, opened: Opened, options: RunOptions, output: Output) -> Any:
    """Return what a program is compared with."""
    from qsim.cli.build import check_model_name, load_network, quantized_of, target_of

    if is_executorch(name):
        from qsim.cli.pte.opening import open_program

        return open_program(Path(name), options.data, options.method).pte
    if name.endswith(".qsim"):
        network = load_network(name)
        return network.quantized_io() if opened.integer_io else network
    check_model_name(name)
    # A Q/DQ graph in a .pt2 holds its target.
    held = None if name.endswith(".pt2") else opened.target()
    target = (
        held if options.target is None and held is not None else target_of(name, options.target)
    )
    return quantized_of(name, target, options.config, output)[0]


def _json(value: Any) -> Any:
    # JSON has no NaN and no infinities.
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value

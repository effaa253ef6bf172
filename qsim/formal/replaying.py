"""A counterexample, simulated: the bulk lane must see the same difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.cosim.simulators import Design, design
from qsim.errors import MissingToolError

if TYPE_CHECKING:
    from pathlib import Path

    from qsim.cosim.simulators import Simulator
    from qsim.golden import Case
    from qsim.target import Target


def replay(case: Case, target: Target, sources: tuple[Path, ...]) -> tuple[str, str] | None:
    """Simulate a golden vector of one element.

    Args:
        case: the vector.
        target: states the widths.
        sources: of the RTL that was proved against.

    Returns:
        The simulator, and what came out: ``as expected`` or the hexadecimal digits that did; None
        without a simulator.
    """
    from qsim.cosim.jobs import job
    from qsim.cosim.lanes import bulk_recipe, run_bulk
    from qsim.cosim.simulators import build

    simulator = _simulator()
    if simulator is None:
        return None
    made = job(case, target)
    shipped = design(made.unit)
    own = Design(shipped.wrapper, sources, shipped.input_width, shipped.output_width)
    result = run_bulk(made, build(bulk_recipe(own, simulator)), timeout=60.0)
    if result.agrees:
        return simulator.name, "as expected"
    actual = result.differences[0].actual if result.differences else result.problems[0].message
    return simulator.name, actual


def _simulator() -> Simulator | None:
    from qsim.cosim.simulators import SIMULATORS, find

    for name in SIMULATORS:
        try:
            return find(name)
        except MissingToolError:
            continue
    return None

"""A counterexample, simulated: the bulk lane must see the same difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.cosim.jobs import job
from qsim.cosim.simulators import Design, design
from qsim.errors import MissingToolError

AS_EXPECTED: Final = "as expected"

if TYPE_CHECKING:
    from pathlib import Path

    from qsim.cosim.dut import Dut
    from qsim.cosim.jobs import Job
    from qsim.cosim.simulators import Build
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
    made = job(case, target)
    shipped = design(made.unit)
    own = Design(shipped.wrapper, sources, shipped.input_width, shipped.output_width)
    return _simulated(made, own)


def replay_design(dut: Dut, case: Case, target: Target) -> tuple[str, str] | None:
    """Simulate a golden vector on somebody else's design; see :func:`replay`."""
    from qsim.cosim import dut as duts

    made, _ = duts.without_unfit(dut, duts.job(dut, case, target), strict=True)
    return _simulated(made, duts.design(dut, made.unit))


def _simulated(job: Job, design: Design) -> tuple[str, str] | None:
    from qsim.cosim.lanes import run_bulk

    built = _built(design)
    if built is None:
        return None
    simulator = built.simulator
    result = run_bulk(job, built, timeout=60.0)
    if result.agrees:
        return simulator.name, AS_EXPECTED
    actual = result.differences[0].actual if result.differences else result.problems[0].message
    return simulator.name, actual


def _built(design: Design) -> Build | None:
    """Return a build on the first simulator that is there and takes the design."""
    from qsim.cosim.lanes import bulk_recipe
    from qsim.cosim.simulators import SIMULATORS, BuildError, build, find

    for name in SIMULATORS:
        try:
            return build(bulk_recipe(design, find(name)))
        except (MissingToolError, BuildError):
            continue
    return None

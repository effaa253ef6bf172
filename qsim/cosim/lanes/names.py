"""The two lanes by name: what each is built from, and what runs a job on it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

from qsim.cosim.lanes.lane import LANES, Lane, LaneName
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qsim.cosim.simulators.build import Recipe
    from qsim.cosim.simulators.toolchain import Simulator
    from qsim.cosim.simulators.wrapper import Design

# Lane -> module, function that makes a recipe, function that runs a job.
_HOMES: Final[Mapping[LaneName, tuple[str, str, str]]] = {
    "bulk": ("bulk", "bulk_recipe", "run_bulk"),
    "cocotb": ("cocotb_lane", "cocotb_recipe", "run_cocotb"),
}


def require_lane(name: str) -> LaneName:
    """Return a lane's name.

    Raises:
        UsageError: there is no such lane.
    """
    if name not in LANES:
        raise UsageError(f"no lane is called {name!r:.40}", accepted=", ".join(LANES))
    return name


def recipe(lane: LaneName, design: Design, simulator: Simulator, *, waves: bool = False) -> Recipe:
    """Return what a lane's bench around a design is built from."""
    module, function, _ = _HOMES[lane]
    make: Callable[..., Recipe] = getattr(import_module(f"qsim.cosim.lanes.{module}"), function)
    return make(design, simulator, waves=waves)


def runner(lane: LaneName) -> Lane:
    """Return the function that runs a job on a lane."""
    module, _, function = _HOMES[lane]
    return cast("Lane", getattr(import_module(f"qsim.cosim.lanes.{module}"), function))

"""The two lanes by name: what each is built from, and what runs a job on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from qsim.cosim.lanes.bulk import bulk_recipe, run_bulk
from qsim.cosim.lanes.cocotb_lane import cocotb_recipe, run_cocotb
from qsim.cosim.simulators import LANES, LaneName
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.cosim.lanes.interface import Lane
    from qsim.cosim.simulators import Design, Recipe, Simulator


class _Make(Protocol):
    def __call__(self, design: Design, simulator: Simulator, *, waves: bool = False) -> Recipe: ...


@dataclass(frozen=True, slots=True)
class _Functions:
    recipe: _Make
    run: Lane


_FUNCTIONS: Final[Mapping[LaneName, _Functions]] = {
    "bulk": _Functions(bulk_recipe, run_bulk),
    "cocotb": _Functions(cocotb_recipe, run_cocotb),
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
    return _FUNCTIONS[lane].recipe(design, simulator, waves=waves)


def runner(lane: LaneName) -> Lane:
    """Return the function that runs a job on a lane."""
    return _FUNCTIONS[lane].run

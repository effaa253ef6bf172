"""How beats get into a design: lane ``bulk``, for millions of them; ``cocotb``, for the protocol.

``recipe`` and ``runner`` take a lane by name; a build of one lane's recipe fits its runner alone.
"""

from __future__ import annotations

from qsim.cosim.lanes.bulk import bulk_recipe, run_bulk
from qsim.cosim.lanes.cocotb_lane import cocotb_recipe, find_cocotb, play, run_cocotb
from qsim.cosim.lanes.interface import (
    Difference,
    Lane,
    LaneResult,
    Problem,
    SimulationError,
    Stimulus,
    Window,
)
from qsim.cosim.lanes.names import recipe, require_lane, runner
from qsim.cosim.lanes.stimuli import held_up, played
from qsim.cosim.simulators import LANES, LaneName

__all__ = [
    "LANES",
    "Difference",
    "Lane",
    "LaneName",
    "LaneResult",
    "Problem",
    "SimulationError",
    "Stimulus",
    "Window",
    "bulk_recipe",
    "cocotb_recipe",
    "find_cocotb",
    "held_up",
    "play",
    "played",
    "recipe",
    "require_lane",
    "run_bulk",
    "run_cocotb",
    "runner",
]

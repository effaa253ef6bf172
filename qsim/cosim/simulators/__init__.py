"""Simulators of this machine, and builds on them: a recipe in, a compiled simulation out.

``process``, the module, runs programs that leave nothing behind, side by side.
"""

from __future__ import annotations

from qsim.cosim.simulators.builds import build, build_all
from qsim.cosim.simulators.compile_errors import BuildError
from qsim.cosim.simulators.linting import lint
from qsim.cosim.simulators.messages import WRAPPER, Message, simulated
from qsim.cosim.simulators.recipes import LANES, Build, LaneName, Recipe
from qsim.cosim.simulators.toolchain import SIMULATORS, Simulator, find
from qsim.cosim.simulators.watched import FIRST_RESET, Handshake, Watched
from qsim.cosim.simulators.wrapper import RTL, RTL_TB, Design, Wrap, design

__all__ = [
    "FIRST_RESET",
    "LANES",
    "RTL",
    "RTL_TB",
    "SIMULATORS",
    "WRAPPER",
    "Build",
    "BuildError",
    "Design",
    "Handshake",
    "LaneName",
    "Message",
    "Recipe",
    "Simulator",
    "Watched",
    "Wrap",
    "build",
    "build_all",
    "design",
    "find",
    "lint",
    "simulated",
]

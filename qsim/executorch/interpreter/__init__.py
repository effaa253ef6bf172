"""The instructions of a ``.pte``'s method, on its planned memories."""

from __future__ import annotations

from qsim.executorch.interpreter.machine import Interpreter, Watch
from qsim.executorch.interpreter.run import Run

__all__ = ["Interpreter", "Run", "Watch"]

"""ExecuTorch's own arithmetic, where it rounds otherwise than torch's."""

from __future__ import annotations

from qsim.executorch.interpreter.portable.definitions import defined, on_shapes

__all__ = ["defined", "on_shapes"]

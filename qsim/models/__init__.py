"""Models: the built-in networks, and a user's own by ``file.py:factory``.

Importing this package loads neither torch nor scikit-learn; a factory does.
"""

from __future__ import annotations

from qsim.models.registry import Builtin, builtin
from qsim.models.spec import Model, function, load

__all__ = ["Builtin", "Model", "builtin", "function", "load"]

"""ExecuTorch: delegates that run on the hardware models, and programs that run in Python.

Nothing heavy is loaded before it is used, and ExecuTorch is asked for only then.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from qsim.executorch.backend import QsimBackend
    from qsim.executorch.edge import run_edge
    from qsim.executorch.exporting import export
    from qsim.executorch.partitioner import QsimPartitioner
    from qsim.executorch.pte import Pte, load
    from qsim.executorch.registry import register

__all__ = ["Pte", "QsimBackend", "QsimPartitioner", "export", "load", "register", "run_edge"]

_HOMES: Final = {
    "Pte": "qsim.executorch.pte",
    "QsimBackend": "qsim.executorch.backend",
    "QsimPartitioner": "qsim.executorch.partitioner",
    "export": "qsim.executorch.exporting",
    "load": "qsim.executorch.pte",
    "register": "qsim.executorch.registry",
    "run_edge": "qsim.executorch.edge",
}
# What makes or runs edge programs; a ``.pte`` is read without ExecuTorch's own Python.
_AHEAD_OF_TIME: Final = ("QsimBackend", "QsimPartitioner", "export", "run_edge")


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'qsim.executorch' has no attribute {name!r}")
    from qsim.executorch import adapter

    if name in _AHEAD_OF_TIME:
        adapter.load_exir()
    adapter.check()
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""ExecuTorch: delegates that run on the hardware models, and programs that run in Python.

Nothing heavy is loaded before it is used, and ExecuTorch is asked for only then.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from qsim.executorch.bundled.bundle import Bundle, BundledCase, bundle, read_bundle
    from qsim.executorch.bundled.check import record_case
    from qsim.executorch.bundled.golden import bundle_golden
    from qsim.executorch.comparing.comparison import Comparison, compare
    from qsim.executorch.compiling.backend import QsimBackend
    from qsim.executorch.compiling.compiling import EdgeProgram, to_edge
    from qsim.executorch.compiling.exporting import export
    from qsim.executorch.compiling.io_params import qparams
    from qsim.executorch.compiling.partitioner import QsimPartitioner
    from qsim.executorch.edge.edge import run_edge
    from qsim.executorch.pte.pte import Pte, load
    from qsim.executorch.registry import register

__all__ = [
    "Bundle",
    "BundledCase",
    "Comparison",
    "EdgeProgram",
    "Pte",
    "QsimBackend",
    "QsimPartitioner",
    "bundle",
    "bundle_golden",
    "compare",
    "export",
    "load",
    "qparams",
    "read_bundle",
    "record_case",
    "register",
    "run_edge",
    "to_edge",
]

_HOMES: Final = {
    "Comparison": "qsim.executorch.comparing.comparison",
    "compare": "qsim.executorch.comparing.comparison",
    "Bundle": "qsim.executorch.bundled.bundle",
    "BundledCase": "qsim.executorch.bundled.bundle",
    "EdgeProgram": "qsim.executorch.compiling.compiling",
    "Pte": "qsim.executorch.pte.pte",
    "QsimBackend": "qsim.executorch.compiling.backend",
    "QsimPartitioner": "qsim.executorch.compiling.partitioner",
    "bundle": "qsim.executorch.bundled.bundle",
    "bundle_golden": "qsim.executorch.bundled.golden",
    "export": "qsim.executorch.compiling.exporting",
    "load": "qsim.executorch.pte.pte",
    "qparams": "qsim.executorch.compiling.io_params",
    "read_bundle": "qsim.executorch.bundled.bundle",
    "record_case": "qsim.executorch.bundled.check",
    "register": "qsim.executorch.registry",
    "run_edge": "qsim.executorch.edge.edge",
    "to_edge": "qsim.executorch.compiling.compiling",
}
# What makes or runs edge programs; a ``.pte`` is read without ExecuTorch's own Python.
_AHEAD_OF_TIME: Final = (
    "EdgeProgram",
    "QsimBackend",
    "QsimPartitioner",
    "export",
    "run_edge",
    "to_edge",
)


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

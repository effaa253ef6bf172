"""ExecuTorch: delegates that run on the hardware models, and programs that run in Python.

Nothing heavy is loaded before it is used, and ExecuTorch is asked for only then. Besides the names
below, the rest of qsim uses these rooms by their own names: ``adapter`` (what ExecuTorch does not
publish), ``pte`` (the file), ``delegates`` (its parts for hardware).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim import lazy

if TYPE_CHECKING:
    from qsim.executorch.bundled import (
        Bundle,
        BundledCase,
        bundle,
        bundle_golden,
        read_bundle,
        record_case,
    )
    from qsim.executorch.comparing import Comparison, compare
    from qsim.executorch.compiling import (
        EdgeProgram,
        QsimBackend,
        QsimPartitioner,
        export,
        to_edge,
    )
    from qsim.executorch.edge import run_edge
    from qsim.executorch.io_params import qparams
    from qsim.executorch.loading import Pte, load
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
    **dict.fromkeys(
        ("Bundle", "BundledCase", "bundle", "bundle_golden", "read_bundle", "record_case"),
        "qsim.executorch.bundled",
    ),
    **dict.fromkeys(("Comparison", "compare"), "qsim.executorch.comparing"),
    **dict.fromkeys(
        ("EdgeProgram", "QsimBackend", "QsimPartitioner", "export", "to_edge"),
        "qsim.executorch.compiling",
    ),
    "Pte": "qsim.executorch.loading",
    "load": "qsim.executorch.loading",
    "qparams": "qsim.executorch.io_params",
    "register": "qsim.executorch.registry",
    "run_edge": "qsim.executorch.edge",
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


_found = lazy.getter(__name__, _HOMES)


def __getattr__(name: str) -> object:
    if name in _HOMES:
        from qsim.executorch import adapter

        if name in _AHEAD_OF_TIME:
            adapter.load_exir()
        adapter.check()
    return _found(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

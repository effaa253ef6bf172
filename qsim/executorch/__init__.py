"""ExecuTorch: delegates that run on the hardware models, and programs that run in Python.

Nothing heavy is loaded before it is used, and ExecuTorch is asked for only then. Besides the names
below, the rest of qsim uses these rooms by their own names: ``adapter`` (what ExecuTorch does not
publish), ``pte`` (the file), ``delegates`` (its parts for hardware).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import lazy_loader

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

# What makes or runs edge programs; a ``.pte`` is read without ExecuTorch's own Python.
_AHEAD_OF_TIME: Final = (
    "EdgeProgram",
    "QsimBackend",
    "QsimPartitioner",
    "export",
    "run_edge",
    "to_edge",
)


_found, _, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "bundled": [
            "Bundle",
            "BundledCase",
            "bundle",
            "bundle_golden",
            "read_bundle",
            "record_case",
        ],
        "comparing": ["Comparison", "compare"],
        "compiling": ["EdgeProgram", "QsimBackend", "QsimPartitioner", "export", "to_edge"],
        "edge": ["run_edge"],
        "io_params": ["qparams"],
        "loading": ["Pte", "load"],
        "registry": ["register"],
    },
)


def __getattr__(name: str) -> object:
    if name in __all__:
        from qsim.executorch import adapter

        if name in _AHEAD_OF_TIME:
            adapter.load_exir()
        adapter.check()
    value: object = _found(name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

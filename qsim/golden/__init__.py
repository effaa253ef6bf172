"""Golden vectors: recorded or directed calls of primitives, on disk, checked to the bit.

    golden = qsim.golden.record(lowered, x, "golden/net")
    qsim.golden.check("golden/net").ok

A *golden set* is a folder: ``manifest.json`` and one safetensors file per case; see
``docs/golden.md``. Reading one executes nothing that is in it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from qsim.cosim import Exported as Exported
    from qsim.cosim import export_hex as export_hex
    from qsim.golden.case import Case as Case
    from qsim.golden.checking import Checked as Checked
    from qsim.golden.checking import Result as Result
    from qsim.golden.checking import check as check
    from qsim.golden.directed import PRIMITIVES as PRIMITIVES
    from qsim.golden.recording import cases as cases
    from qsim.golden.recording import record as record
    from qsim.golden.sets import GoldenSet as GoldenSet
    from qsim.golden.sets import load as load
    from qsim.golden.sets import require_target as require_target
    from qsim.golden.single import compute as compute
    from qsim.golden.single import program_of as program_of
    from qsim.golden.writing import check_destination as check_destination
    from qsim.golden.writing import write as write

_own, _, _names = lazy_loader.attach(
    __name__,
    submod_attrs={
        "case": ["Case"],
        "checking": ["Checked", "Result", "check"],
        "directed.makers": ["PRIMITIVES"],
        "recording": ["cases", "record"],
        "sets": ["GoldenSet", "load", "require_target"],
        "single": ["compute", "program_of"],
        "writing": ["check_destination", "write"],
    },
)
_BEATS = ("Exported", "export_hex")  # of qsim.cosim, which makes the beats that they write
__all__ = [*_names, *_BEATS]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> object:
    return getattr(import_module("qsim.cosim"), name) if name in _BEATS else _own(name)

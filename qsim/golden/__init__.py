"""Golden vectors: recorded or directed calls of primitives, on disk, checked to the bit.

    golden = qsim.golden.record(lowered, x, "golden/net")
    qsim.golden.check("golden/net").ok

A *golden set* is a folder: ``manifest.json`` and one safetensors file per case; see
``docs/golden.md``. Reading one executes nothing that is in it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from qsim.golden.case import Case
    from qsim.golden.checking import Checked, check
    from qsim.golden.hexfiles import export_hex
    from qsim.golden.recording import cases, record
    from qsim.golden.sets import GoldenSet, load
    from qsim.golden.writing import write

__all__ = [
    "Case",
    "Checked",
    "GoldenSet",
    "cases",
    "check",
    "export_hex",
    "load",
    "record",
    "write",
]

_HOMES: Final = {
    "Case": "case",
    "Checked": "checking",
    "GoldenSet": "sets",
    "cases": "recording",
    "check": "checking",
    "export_hex": "hexfiles",
    "load": "sets",
    "record": "recording",
    "write": "writing",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'qsim.golden' has no attribute {name!r}")
    value: object = getattr(import_module(f"qsim.golden.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

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
    from qsim.cosim import Exported, export_hex
    from qsim.golden.case import Case
    from qsim.golden.checking import Checked, check
    from qsim.golden.recording import cases, record
    from qsim.golden.sets import GoldenSet, load
    from qsim.golden.writing import write

__all__ = [
    "Case",
    "Checked",
    "Exported",
    "GoldenSet",
    "cases",
    "check",
    "export_hex",
    "load",
    "record",
    "write",
]

# A name that begins with "qsim" is of another package: export_hex writes beats, which cosim makes.
_HOMES: Final = {
    "Case": "case",
    "Checked": "checking",
    "Exported": "qsim.cosim",
    "GoldenSet": "sets",
    "cases": "recording",
    "check": "checking",
    "export_hex": "qsim.cosim",
    "load": "sets",
    "record": "recording",
    "write": "writing",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'qsim.golden' has no attribute {name!r}")
    module = home if home.startswith("qsim.") else f"qsim.golden.{home}"
    value: object = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

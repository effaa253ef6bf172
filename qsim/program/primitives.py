"""What each primitive of a Program is: its attributes, its output and its hw_models function.

A *binding* says it once, for the interpreter, the file reader and the reports. ``PRIMITIVES`` maps
the name that a :class:`qsim.program.Call` carries to its binding; those registered by extensions
(``qsim.extend``) come after the built-in ones.
"""

from __future__ import annotations

from collections import ChainMap
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from qsim.program.bindings import (
    CACHES,
    CODE_MAKERS,
    DENSE,
    DYNAMIC,
    ELEMENTWISE,
    FLOATS,
    MOVES,
    PICKS,
    SUMS,
    TABLES,
    TRANSPOSED,
    UNITS,
    Binding,
    Kernel,
    Operand,
)
from qsim.program.schemes import decode_scheme, encode_scheme
from qsim.registry import REGISTERED

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PRIMITIVES", "Binding", "Kernel", "Operand", "decode_scheme", "encode_scheme"]

_BUILTIN: Final[dict[str, Binding]] = {
    **SUMS,
    **TRANSPOSED,
    # Lists of the names keep the order in which they were first printed.
    "requantize": CODE_MAKERS["requantize"],
    "add": ELEMENTWISE["add"],
    **CODE_MAKERS,
    **ELEMENTWISE,
    **TABLES,
    **MOVES,
    **PICKS,
    **DYNAMIC,
    **DENSE,
    **UNITS,
    **CACHES,
    **FLOATS,
}
_ALL: Final[ChainMap[str, Binding]] = ChainMap(dict(_BUILTIN))
_ALL.maps.insert(0, REGISTERED)  # type: ignore[arg-type]  # read through the proxy only
PRIMITIVES: Final[Mapping[str, Binding]] = MappingProxyType(_ALL)

"""What each primitive of a Program is: its attributes, its output and its hw_models function.

A *binding* says it once, for the interpreter, the file reader and the reports. ``PRIMITIVES`` maps
the name that a :class:`qsim.program.Call` carries to its binding; those registered by extensions
(``qsim.extend``) come after the built-in ones.
"""

from __future__ import annotations

from collections import ChainMap
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from qsim.errors import UsageError
from qsim.program.bindings.binding import Binding, Kernel, Operand
from qsim.program.bindings.codes import CODE_MAKERS
from qsim.program.bindings.elementwise import ELEMENTWISE
from qsim.program.bindings.moves import MOVES
from qsim.program.bindings.sums import SUMS
from qsim.program.bindings.tables import TABLES
from qsim.program.bindings.transposed import TRANSPOSED
from qsim.program.schemes import decode_scheme, encode_scheme

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "PRIMITIVES",
    "Binding",
    "Kernel",
    "Operand",
    "decode_scheme",
    "encode_scheme",
    "is_registered",
    "register",
    "unregister",
]

_BUILTIN: Final[dict[str, Binding]] = {
    **SUMS,
    **TRANSPOSED,
    **CODE_MAKERS,
    **ELEMENTWISE,
    **TABLES,
    **MOVES,
}
_registered: Final[dict[str, Binding]] = {}
PRIMITIVES: Final[Mapping[str, Binding]] = MappingProxyType(ChainMap(_registered, _BUILTIN))


def register(name: str, binding: Binding) -> None:
    """Add a primitive; a second time is fine if it is the same one.

    Raises:
        UsageError: another primitive has its name.
    """
    if PRIMITIVES.get(name, binding) is not binding:
        raise UsageError(
            "another primitive has its name", where=f"primitive {name!r}", accepted="a new name"
        )
    _registered[name] = binding


def is_registered(name: str) -> bool:
    """Return whether a primitive is not built in but registered."""
    return name in _registered


def unregister(name: str) -> None:
    """Remove a registered primitive; built-in ones stay."""
    _registered.pop(name, None)

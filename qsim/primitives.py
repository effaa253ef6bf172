"""What each primitive of a Program is: its attributes, its output and its hw_models function.

A *binding* says it once, for the interpreter, the file reader and the reports. ``PRIMITIVES`` maps
the name that a :class:`qsim.program.Call` carries to its binding.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from qsim.bind_codes import CODE_MAKERS
from qsim.bind_moves import MOVES
from qsim.bind_sums import SUMS
from qsim.binding import Binding, Kernel, Operand
from qsim.schemes import decode_scheme, encode_scheme

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PRIMITIVES", "Binding", "Kernel", "Operand", "decode_scheme", "encode_scheme"]

PRIMITIVES: Final[Mapping[str, Binding]] = MappingProxyType({**SUMS, **CODE_MAKERS, **MOVES})

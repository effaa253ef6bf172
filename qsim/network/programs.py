"""A Program alone, as bytes: what a pickle of one holds.

They are those of a ``.qsim`` file with one Program, its memory, and no target: weights are not
packed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.errors import FileFormatError
from qsim.memory import Space
from qsim.network.document import PROGRAM, STATEFUL, build_program, program_item
from qsim.network.store import FORMAT_VERSION, little_endian, pack, unpack
from qsim.program import check_keys, is_int, to_json

if TYPE_CHECKING:
    from qsim.program import Program

_DOCUMENT: Final = ("program", "memory")
_MEMORY: Final = ("bytes", "alignment", "banks")


def program_to_bytes(program: Program) -> bytes:
    """Return a Program's bytes: the same Program gives the same."""
    document: Any = {
        "format_version": FORMAT_VERSION,
        "program": program_item(program, {}),
        "memory": {name: getattr(program.memory, name) for name in _MEMORY},
    }
    plain = {key: to_json(value) for key, value in document.items()}
    return pack(plain, little_endian(program.constants))


def program_from_bytes(data: bytes) -> Program:
    """Return the Program of :func:`program_to_bytes`.

    Raises:
        QsimError: the bytes are not those of a Program.
    """
    document, constants = unpack(data)
    try:
        check_keys(document, _DOCUMENT)
        item, memory = document["program"], document["memory"]
        check_keys(item, PROGRAM, (STATEFUL,))
        check_keys(memory, _MEMORY)
        if not all(is_int(memory[name]) for name in _MEMORY):
            raise FileFormatError.of("a memory must have integers", memory, "integers")
        if sorted(constants) != item["constants"]:
            raise FileFormatError("the arrays are not those that the document names")
        return build_program(item, constants).placed_in(Space(**memory))
    except (TypeError, ValueError, KeyError, OverflowError, RecursionError, MemoryError) as error:
        raise FileFormatError(f"the document is malformed: {error}") from None

"""Kernels that other kernels call by address: machine code of their own, made when it is needed.

Numba compiles what a function calls once more into every function above it. What several commands
share, and what few networks need, is called by its address instead: it is compiled once, and not
at all for a table without such a command.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing import signature
from numba.extending import intrinsic

WORDS: Final = types.Array(types.int64, 1, "C")
# d, arena, constants, arguments, work, parts, thread, threads.
COMMAND: Final = (WORDS, types.int64, types.int64, WORDS, *(types.int64,) * 4)
# d, y, constants, work, sums, width, column, parameter, outputs, pixels.
FINISH: Final = (WORDS, *(types.int64,) * 9)
# to, from, size, step, kind.
MOVE: Final = (types.int64,) * 5
# d, constants, work, channel, channels, inner.
END: Final = (WORDS, *(types.int64,) * 5)


@cache
def entry(function: Any, kinds: tuple[Any, ...]) -> int:
    """Return the address of a kernel that takes arguments of these types and returns nothing.

    It is compiled, or loaded, if it was not yet.
    """
    function.compile(kinds)
    made = function.overloads[kinds]
    return int(made.library.get_pointer_to_function(made.fndesc.llvm_func_name))


def _call(context: Any, b: Any, kinds: tuple[Any, ...], args: Any) -> Any:
    """Emit a call of what ``entry`` returned; what it raises is raised."""
    address, *operands = args
    kind = context.call_conv.get_function_type(types.none, kinds)
    function = b.inttoptr(address, ir.PointerType(kind))
    status, _ = context.call_conv.call_function(b, function, types.none, kinds, operands)
    with cgutils.if_unlikely(b, status.is_error):
        context.call_conv.return_status_propagate(b, status)
    return context.get_dummy_value()


@intrinsic
def call_command(  # type: ignore[no-untyped-def]
    _typing, _address, _d, _arena, _constants, _arguments, _work, _parts, _thread, _threads
):
    """Call the kernel of a command."""

    def codegen(context, builder, _signature, args):  # type: ignore[no-untyped-def]
        return _call(context, builder, COMMAND, args)

    return signature(types.none, types.int64, *COMMAND), codegen


@intrinsic
def call_finish(  # type: ignore[no-untyped-def]
    _typing, _address, _d, _y, _constants, _work, _sums, _width, _column, _parameter, _outputs,
    _pixels,
):  # fmt: skip
    """Call ``hw_models.stream.finish.finish``."""

    def codegen(context, builder, _signature, args):  # type: ignore[no-untyped-def]
        return _call(context, builder, FINISH, args)

    return signature(types.none, types.int64, *FINISH), codegen


@intrinsic
def call_end(  # type: ignore[no-untyped-def]
    _typing, _address, _d, _constants, _work, _channel, _channels, _inner
):
    """Call a kernel of ``hw_models.stream.ends``."""

    def codegen(context, builder, _signature, args):  # type: ignore[no-untyped-def]
        return _call(context, builder, END, args)

    return signature(types.none, types.int64, *END), codegen


@intrinsic
def call_move(_typing, _address, _to, _from, _size, _step, _kind):  # type: ignore[no-untyped-def]
    """Call ``load`` or ``store`` of ``hw_models.stream.elements``."""

    def codegen(context, builder, _signature, args):  # type: ignore[no-untyped-def]
        return _call(context, builder, MOVE, args)

    return signature(types.none, types.int64, *MOVE), codegen

"""Raw memory for the command stream: typed views of addresses, and what threads share."""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

from hw_models.compiled import part

_I64: Final = ir.IntType(64)


def _pointer(kind: Any) -> Any:
    @intrinsic
    def at(_typing, _address):  # type: ignore[no-untyped-def]
        signature = types.CPointer(kind)(types.int64)

        def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
            return builder.inttoptr(args[0], context.get_value_type(sig.return_type))

        return signature, codegen

    return at


p_int8, p_uint8, p_int16 = _pointer(types.int8), _pointer(types.uint8), _pointer(types.int16)
p_uint16, p_uint32 = _pointer(types.uint16), _pointer(types.uint32)
p_float64, p_bool = _pointer(types.float64), _pointer(types.boolean)
p_int32, p_int64, p_float32 = (
    _pointer(types.int32),
    _pointer(types.int64),
    _pointer(types.float32),
)


@part(inline="always")
def int8_at(address: Any, size: Any) -> Any:
    """Return size elements of int8 at an address, as an array."""
    return carray(p_int8(address), (size,))


@part(inline="always")
def uint8_at(address: Any, size: Any) -> Any:
    """Return size elements of uint8 at an address, as an array."""
    return carray(p_uint8(address), (size,))


@part(inline="always")
def int16_at(address: Any, size: Any) -> Any:
    """Return size elements of int16 at an address, as an array."""
    return carray(p_int16(address), (size,))


@part(inline="always")
def uint16_at(address: Any, size: Any) -> Any:
    """Return size elements of uint16 at an address, as an array."""
    return carray(p_uint16(address), (size,))


@part(inline="always")
def int32_at(address: Any, size: Any) -> Any:
    """Return size elements of int32 at an address, as an array."""
    return carray(p_int32(address), (size,))


@part(inline="always")
def int64_at(address: Any, size: Any) -> Any:
    """Return size elements of int64 at an address, as an array."""
    return carray(p_int64(address), (size,))


@part(inline="always")
def uint32_at(address: Any, size: Any) -> Any:
    """Return size elements of uint32 at an address, as an array."""
    return carray(p_uint32(address), (size,))


@part(inline="always")
def float64_at(address: Any, size: Any) -> Any:
    """Return size elements of float64 at an address, as an array."""
    return carray(p_float64(address), (size,))


@part(inline="always")
def table_at(address: Any, rows: Any, columns: Any) -> Any:
    """Return rows of int64 at an address, as an array."""
    return carray(p_int64(address), (rows, columns))


@part(inline="always")
def float32_at(address: Any, size: Any) -> Any:
    """Return size elements of float32 at an address, as an array."""
    return carray(p_float32(address), (size,))


@part(inline="always")
def float32_rows_at(address: Any, rows: Any, columns: Any) -> Any:
    """Return rows of float32 at an address, as an array."""
    return carray(p_float32(address), (rows, columns))


@part
def share(size, thread, threads):  # type: ignore[no-untyped-def]  # njit infers the types
    """Return the part of a range that is a thread's."""
    return size * thread // threads, size * (thread + 1) // threads


@intrinsic
def take(_typing, _address):  # type: ignore[no-untyped-def]
    """Add 1 to a counter that threads share, and return what it was before.

    All that came before is then seen by the others.
    """
    signature = types.int64(types.int64)

    def codegen(_context, builder, _signature, args):  # type: ignore[no-untyped-def]
        pointer = builder.inttoptr(args[0], _I64.as_pointer())
        return builder.atomic_rmw("add", pointer, ir.Constant(_I64, 1), "seq_cst")

    return signature, codegen


@intrinsic
def _count(_typing, _address):  # type: ignore[no-untyped-def]
    signature = types.int64(types.int64)

    def codegen(_context, builder, _signature, args):  # type: ignore[no-untyped-def]
        pointer = builder.inttoptr(args[0], _I64.as_pointer())
        return builder.load_atomic(pointer, "seq_cst", 8)

    return signature, codegen


_yield = types.ExternalFunction("sched_yield", types.int32())
_SPINS: Final = 2000


@part
def wait(counter: Any, arrivals: Any) -> None:
    """Arrive at a barrier, and wait until so many threads have, counted from the stream's start."""
    take(counter)
    turns = 0
    while _count(counter) < arrivals:
        turns += 1
        if turns > _SPINS:
            _yield()  # somebody else needs the core, perhaps the thread that is waited for

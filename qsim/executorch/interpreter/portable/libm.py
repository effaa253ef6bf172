"""The C library's functions of float32, which ExecuTorch's kernels call for each element.

torch and NumPy have vectorized approximations of their own, which differ in the last bit. Calling
the very library that the runtime calls makes the two equal on any machine.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from hw_models.compiled import kernel

if TYPE_CHECKING:
    from qsim.executorch.interpreter.portable.loops import Array


def _call(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
    """Emit a call of the function at an address, of float32 and to float32."""
    address, *operands = arguments
    kind = ir.FloatType()
    function = ir.FunctionType(kind, [kind] * len(operands))
    return builder.call(builder.inttoptr(address, function.as_pointer()), operands)


@intrinsic  # type: ignore[untyped-decorator]
def _call1(_: Any, address: Any, x: Any) -> Any:  # noqa: ARG001 - types, as numba passes them
    return types.float32(types.int64, types.float32), _call


@intrinsic  # type: ignore[untyped-decorator]
def _call2(_: Any, address: Any, x: Any, y: Any) -> Any:  # noqa: ARG001 - as above
    return types.float32(types.int64, types.float32, types.float32), _call


@kernel
def _map1(address: int, x: Array, out: Array) -> None:
    for i in range(x.size):
        out[i] = _call1(address, x[i])


@kernel
def _map2(address: int, x: Array, y: Array, out: Array) -> None:
    for i in range(x.size):
        out[i] = _call2(address, x[i], y[i])


@cache
def _address(name: str) -> int:
    # The process has the C library of the interpreter, and so of the runtime, loaded.
    found = ctypes.cast(getattr(ctypes.CDLL(None), name), ctypes.c_void_p).value
    assert found is not None  # noqa: S101 - getattr raises where there is no such function
    return found


def apply(name: str, *operands: Array) -> Array:
    """Apply a function of the C library to every element.

    Args:
        name: its name, as ``expf``: of as many float32 as there are operands, to float32.
        operands: one or two arrays of float32; two are broadcast together.

    Returns:
        A new array of float32.
    """
    given = np.broadcast_arrays(*operands)
    out = np.empty(given[0].shape, np.float32)
    flat = [np.ascontiguousarray(operand).reshape(-1) for operand in given]
    (_map1, _map2)[len(flat) - 1](_address(name), *flat, out.reshape(-1))
    return out

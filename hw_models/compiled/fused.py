"""A product and a sum with one rounding, in kernels: IEEE 754's fusedMultiplyAdd of float32.

LLVM makes one instruction of it where the processor has one, and a call of the C library's ``fmaf``
where not; both round once.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic


@intrinsic
def fused_multiply_add(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """``f32(a * b + c)``: three float32 values, one rounding."""
    del typing
    if any(kind != types.float32 for kind in (a, b, c)):
        return None

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        del context, signature
        return builder.fma(*values)

    return types.float32(a, b, c), emit

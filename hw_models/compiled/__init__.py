"""Compiled kernels: the decorators, where machine code is kept, and who watches the compiler.

Numba keeps machine code by the file that a function stands in, and does not see that a function
which it calls, or a generator of LLVM IR, has changed in another file: old code would compute old
bits. Every kernel here is kept by the content of all that it is built from instead.
"""

from __future__ import annotations

from hw_models.compiled import forks, instructions, store
from hw_models.compiled.adapter import SUPPORTED
from hw_models.compiled.decorators import kernel, part
from hw_models.compiled.observer import Event, Tally, observe, tally

forks.register()
__all__ = [
    "SUPPORTED",
    "Event",
    "Tally",
    "instructions",
    "kernel",
    "observe",
    "part",
    "store",
    "tally",
]

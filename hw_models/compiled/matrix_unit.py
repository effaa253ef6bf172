"""Whether this process may use the processor's matrix unit (Intel AMX).

Linux hands out the unit's registers to processes that ask for them; elsewhere an instruction that
touches them ends the process.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from functools import cache
from typing import Final

_ARCH_PRCTL: Final = 158
_REQUEST_PERMISSION: Final = 0x1023
_TILE_DATA: Final = 18


@cache
def permitted() -> bool:
    """Ask for the matrix registers, for this process and its children; return whether it has them.

    Refused where the kernel is older than the unit, and where a signal's stack has no room for it.
    """
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        return False
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    arguments = (_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA)
    return int(call(*map(ctypes.c_long, arguments))) == 0

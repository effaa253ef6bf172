"""A number that changes with the source of the command stream's kernels.

Numba keeps compiled code by the file that a function stands in, and does not see that a function
which it calls, in another file, has changed. Descriptors and kernels must never be of two versions:
so the few functions that are kept on disk hold this number, and nothing else is kept.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

_ALSO: Final = (
    "addition/kernels.py",
    "products/gemm_tiles.py",
    "requantization/exact.py",
    "requantization/modes.py",
    "requantization/vector.py",
    "avg_pool.py",
)


def stamp() -> int:
    """Return a positive number that follows from the bytes of the sources."""
    folder = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in (*sorted((folder / "stream").glob("*.py")), *(folder / name for name in _ALSO)):
        digest.update(path.read_bytes())
    return int.from_bytes(digest.digest()[:7], "little") + 1

"""``.npy`` files: read, never unpickled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qsim import files
from qsim.errors import FileFormatError, InputError, told

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path, accepted: str) -> npt.NDArray[Any]:
    """Read one array of numbers, in this machine's byte order; never a pickle.

    Args:
        path: of the file.
        accepted: what the caller reads, for errors.

    Raises:
        InputError: the file is missing, not a ``.npy`` file, or holds objects.
    """
    try:
        with files.opened(path, accepted=accepted) as file:
            loaded: Any = np.lib.format.read_array(file, allow_pickle=False)
    except FileFormatError as error:
        raise InputError.placed(error, str(path)) from None
    except Exception as error:
        # NumPy reports damage as ValueError, EOFError, SyntaxError, TokenError, MemoryError, ...
        raise InputError(
            f"is not a .npy file of numbers: {told(error)}", where=str(path), accepted=accepted
        ) from None
    array: npt.NDArray[Any] = loaded
    if array.dtype.kind not in "fiub":
        raise InputError(f"holds {array.dtype}", where=str(path), accepted=accepted)
    # The other byte order is the same numbers.
    return array.astype(array.dtype.newbyteorder("="), copy=False)

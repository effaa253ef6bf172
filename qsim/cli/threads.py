"""``--threads``: how many threads a command computes with."""

from __future__ import annotations

from qsim.errors import UsageError


def set_threads(count: int) -> None:
    """Use this many threads in Numba and in torch.

    Raises:
        UsageError: more than Numba can start on this machine.
    """
    import numba
    import torch

    most = int(numba.config.NUMBA_NUM_THREADS)
    if not 1 <= count <= most:
        raise UsageError(f"{count} threads", where="--threads", accepted=f"1..{most}")
    numba.set_num_threads(count)
    torch.set_num_threads(count)

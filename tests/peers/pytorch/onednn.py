"""Which of oneDNN's kernels ran, by its own word, and which float32 steps that kernel takes.

oneDNN has several kernels for one layer and picks by the processor, by ``ONEDNN_MAX_CPU_ISA`` and
by the layer's shape. It names what it ran on the standard output when it is asked to.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

import torch

from hw_models.float_requantize import FloatBiasKind

_RAN = re.compile(
    r"^onednn_verbose,v1,primitive,exec,cpu,(?:convolution|matmul|inner_product),([^,]+),", re.M
)
# Kernel and instruction set, as oneDNN 3.12 names them. Only what has been measured is here.
_BRGEMM = r"brg(_conv_fwd|_matmul|conv_1x1)"
_WITHOUT_AMX = r"(avx2_vnni|avx512_core(_vnni)?|avx10_1_512)"
_KINDS: tuple[tuple[str, FloatBiasKind], ...] = (
    (rf"{_BRGEMM}:avx10_1_512_amx", "onednn-combined"),
    (rf"({_BRGEMM}|brdgmm_dw):{_WITHOUT_AMX}", "onednn"),
    (r"jit_int8:avx512_core|jit_int8_1x1:avx512_core(_vnni)?", "onednn"),
    (r"gemm:jit|jit_uni_int8(_1x1)?:(sse41|avx2)", "onednn-combined"),
    (r"ref(_int8)?:any", "onednn-reference"),
)


def kernel_that_runs(layer: Callable[[], object]) -> str | None:
    """Run a layer and return the name of oneDNN's kernel; None where oneDNN ran none."""
    with (
        _standard_output() as text,
        torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON),
    ):
        layer()
        names = _RAN.findall(_all_of(text))
    assert len(names) <= 1, names
    return names[0] if names else None


def float_kind_of(kernel: str) -> FloatBiasKind:
    """Return the float32 steps of a kernel; one that nobody has measured is an error."""
    for pattern, kind in _KINDS:
        if re.fullmatch(pattern, kernel):
            return kind
    raise LookupError(f"oneDNN ran {kernel!r}, whose float32 steps have not been measured")


@contextmanager
def _standard_output() -> Iterator[IO[bytes]]:
    """Send what C code prints to a file meanwhile."""
    sys.stdout.flush()
    before = os.dup(1)
    with tempfile.TemporaryFile() as text:
        os.dup2(text.fileno(), 1)
        try:
            yield text
        finally:
            os.dup2(before, 1)
            os.close(before)


def _all_of(text: IO[bytes]) -> str:
    text.seek(0)
    return text.read().decode()

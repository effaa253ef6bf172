"""Damaged files: refused in one line, or run; never the end of the process."""

from __future__ import annotations

import random

import pytest
import torch

from qsim.errors import QsimError
from qsim.executorch.pte import Pte
from tests.executorch import pte_nets as nets


@pytest.fixture(scope="module")
def small() -> bytes:
    torch.manual_seed(0)
    return bytes(nets.program(nets.Dense(), (torch.randn(1, 4),)).buffer)


def mutate(data: bytes, draw: random.Random) -> bytes:
    """Cut a file, or flip one to four of its bits, mostly outside the weights."""
    if draw.random() < 0.2:
        return data[: draw.randrange(len(data))]
    changed = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def survive(data: bytes, count: int, seed: int) -> int:
    """Load and run mutated files; return how many were refused."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    refused = 0
    for _ in range(count):
        changed = mutate(data, draw)
        try:
            pte = Pte(changed)
            inputs = [torch.zeros(spec.sizes, dtype=spec.dtype) for spec in pte.inputs]
            pte(*inputs)
        except QsimError as error:
            refused += "\n" not in str(error)
    return refused


def test_every_truncation_is_refused(small: bytes) -> None:
    for size in range(0, len(small), 7):
        with pytest.raises(QsimError):
            Pte(small[:size])


def test_damaged_files_are_refused_or_run(small: bytes) -> None:
    assert 300 < survive(small, 1000, 0) < 1000


@pytest.mark.soak
def test_ten_thousand_damaged_files(small: bytes) -> None:
    assert 3000 < survive(small, 12_000, 1) < 12_000

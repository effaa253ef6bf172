"""Damaged programs and delegates: refused in one line, or run; never the end of the process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from qsim.errors import QsimError
from qsim.executorch import Pte
from tests.qsim.executorch import pte_nets as nets
from tests.tree import ROOT

KINDS = ("portable", "functions", "delegated", "integers", "structure")


def campaign(count: int, seed: int) -> dict[str, dict[str, int]]:
    """Run mutations of every kind in another process, which must come to its end."""
    command = [sys.executable, "-m", "tests.qsim.executorch.mutation_campaign"]
    done = subprocess.run(
        [*command, str(count), str(seed), *KINDS], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert list(found) == list(KINDS)
    return dict(found)


def check(found: dict[str, dict[str, int]], count: int) -> None:
    for kind, seen in found.items():
        assert sum(seen.values()) == count
        assert set(seen) <= {"refused", "ran", "large"}, kind
        # Both ways out must be taken, or the mutations are too coarse or too fine.
        assert count / 2 < seen["refused"] < count, kind
        assert seen["ran"] >= count // 100, kind


def test_every_truncation_is_refused() -> None:
    torch.manual_seed(0)
    small = bytes(nets.program(nets.Dense(), (torch.randn(1, 4),)).buffer)
    for size in range(0, len(small), 7):
        with pytest.raises(QsimError):
            Pte(small[:size])


def test_damaged_programs_are_refused_or_run() -> None:
    check(campaign(100, 1), 100)


@pytest.mark.soak
def test_twelve_thousand_damaged_programs() -> None:
    check(campaign(2500, 2), 2500)

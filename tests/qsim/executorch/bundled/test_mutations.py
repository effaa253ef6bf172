"""Damaged bundled programs: refused in one line, or run; never the end of the process."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from qsim import Target, golden
from qsim.errors import QsimError
from qsim.executorch import Pte, bundle, bundle_golden, read_bundle, record_case
from tests.qsim.executorch import pte_nets as nets
from tests.qsim.executorch.bundle_tools import Double
from tests.qsim.golden.cases import clamp_case

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def small() -> bytes:
    program = bytes(nets.program(Double(), (torch.zeros(2),)).buffer)
    pte = Pte(program)
    return bundle(program, [record_case(pte, torch.tensor([x, -x])) for x in (1.0, 2.0)])


def mutate(data: bytes, draw: random.Random) -> bytes:
    """Cut a file, or flip one to four of its bits."""
    if draw.random() < 0.2:
        return data[: draw.randrange(len(data))]
    changed = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def survive(data: bytes, count: int, seed: int) -> tuple[int, int]:
    """Read and check mutated files; return how many were refused, and how many differ."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    refused = differing = 0
    for _ in range(count):
        changed = mutate(data, draw)
        try:
            results = read_bundle(changed).check()
        except QsimError as error:
            refused += "\n" not in str(error)
        else:
            differing += not all(result.ok for result in results)
    return refused, differing


def test_every_truncation_is_refused(small: bytes) -> None:
    for size in range(0, len(small), 5):
        with pytest.raises(QsimError):
            read_bundle(small[:size])


def test_damaged_files_are_refused_or_run(small: bytes) -> None:
    refused, differing = survive(small, 3000, 0)
    assert 900 < refused < 3000
    assert differing > 10


def survive_import(data: bytes, folder: Path, count: int, seed: int) -> int:
    """Import mutated files as golden sets; return how many were refused."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    refused = 0
    for _ in range(count):
        try:
            read_bundle(mutate(data, draw)).to_golden(folder / "set", force=True)
        except QsimError as error:
            refused += "\n" not in str(error)
    assert sorted(path.name for path in folder.iterdir()) in (["set"], [])
    return refused


def calls(folder: Path) -> bytes:
    cases = [clamp_case("first"), clamp_case("second", codes=(7, -7, 1))]
    return bundle_golden(golden.write(cases, folder, Target.load("tflite")))


def test_damaged_files_are_imported_or_refused(tmp_path: Path) -> None:
    data = calls(tmp_path / "cases")
    (tmp_path / "out").mkdir()
    assert 40 < survive_import(data, tmp_path / "out", 150, 0) <= 150


@pytest.mark.soak
def test_many_damaged_files_are_imported_or_refused(tmp_path: Path) -> None:
    data = calls(tmp_path / "cases")
    (tmp_path / "out").mkdir()
    assert 500 < survive_import(data, tmp_path / "out", 5000, 1) <= 5000


@pytest.mark.soak
def test_ten_thousand_damaged_files(small: bytes) -> None:
    refused, differing = survive(small, 10_000, 1)
    assert 3000 < refused < 10_000
    assert differing > 30

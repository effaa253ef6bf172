"""Mutated golden sets: refused in one line, or found to differ. Never a traceback, never a pass.

Plain mutations leave the digests as they are; signed ones get digests that match, so that the
checks behind them are exercised too.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from qsim.cli import main
from qsim.golden import write
from qsim.golden.recording import cases
from tests.qsim.golden.cases import document_of, rewrite, sign
from tests.qsim.network import nets as net
from tests.qsim.network.test_fuzz import (
    add_network,
    mutate_arrays,
    mutate_bytes,
    mutate_tree,
    watchdog,
)

# How many mutations of a kind.
COUNTS = [40, pytest.param(1000, marks=pytest.mark.soak)]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set with every primitive."""
    path = tmp_path_factory.mktemp("fuzz") / "set"
    network = add_network()
    write(cases(network, net.reals(1)), path, network.target, model="fuzz", seed=1)
    assert main(["golden", "check", str(path)]) == 0
    return path


def status(folder: Path, capfd: pytest.CaptureFixture[str]) -> int:
    """Check a set; require one line on stderr where it is refused."""
    capfd.readouterr()
    code = main(["golden", "check", str(folder)])
    out, err = capfd.readouterr()
    assert code in (0, 1, 2)
    assert "Traceback" not in out + err
    if code == 2:
        assert err.startswith("qsim: ")
        assert err.count("\n") == 1
        assert out == ""
    else:
        assert err == ""
    return code


@pytest.mark.parametrize("count", COUNTS)
def test_mutated_bytes_are_refused(
    count: int, original: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(20240702)  # noqa: S311 - reproducible mutations
    folder = tmp_path / "set"
    shutil.copytree(original, folder)
    files = sorted(folder.iterdir())
    manifest = folder / "manifest.json"
    changed = 0
    with watchdog(2 * count):
        for _ in range(count):
            path = manifest if rng.random() < 0.5 else rng.choice(files)
            data = path.read_bytes()
            # The mutations aim at the header of a safetensors file; a manifest has none.
            aimed = data if path != manifest else b"\0" * 8 + data
            mutated = mutate_bytes(aimed, rng)[0 if path != manifest else 8 :]
            path.write_bytes(mutated)
            if mutated != data:
                changed += 1
                assert status(folder, capfd) == 2
            path.write_bytes(data)
    assert changed > 0.9 * count
    assert status(folder, capfd) == 0


@pytest.mark.parametrize("count", COUNTS)
def test_signed_mutations_of_the_manifest_are_refused_or_computed(
    count: int, original: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(20240703)  # noqa: S311
    folder = tmp_path / "set"
    shutil.copytree(original, folder)
    seen = []
    with watchdog(2 * count):
        for _ in range(count):
            document = document_of(original)
            mutate_tree(document, rng)
            try:
                sign(folder, document)
            except (KeyError, ValueError):
                continue  # no such text can be written
            seen.append(status(folder, capfd))
    assert seen.count(2) > 0.5 * count
    assert seen.count(1) > 0


@pytest.mark.parametrize("count", COUNTS)
def test_signed_mutations_of_arrays_are_refused(
    count: int, original: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(20240704)  # noqa: S311
    folder = tmp_path / "set"
    files = len(document_of(original)["cases"])
    refused = 0
    with watchdog(2 * count):
        for _ in range(count):
            shutil.copytree(original, folder)

            def change(arrays: dict) -> dict:
                mutate_arrays(arrays, rng)
                return arrays

            rewrite(folder, rng.randrange(files), change)
            refused += status(folder, capfd) == 2
            shutil.rmtree(folder)
    assert refused > 0.5 * count

"""The committed golden sets: unchanged, right, and what recording them again gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qsim import Target
from qsim.cli import main
from qsim.golden import Case, check, directed, load
from tests.tree import GOLDEN

# Folder -> target, and how many random elements; the folder's name begins with the primitive's.
DIRECTED = {
    "requantize": ("tflite", 256),
    "requantize-tflite-single": ("tflite-single", 256),
    "requantize-q7": ("q7", 256),
    "requantize-narrow20": ("narrow20", 256),
    "requantize-litert-optimized": ("litert-optimized", 256),
    "requantize-tflite-int16x8": ("tflite-int16x8", 256),
    "requantize-tosa": ("tosa", 256),
    "requantize-deeploy-like": ("deeploy-like", 256),
    "requantize-nvdla-like": ("nvdla-like", 256),
    "add": ("tflite", 256),
    "add-tflite-single": ("tflite-single", 256),
    "add-q7": ("q7", 256),
    "bias_add": ("tflite", 256),
    "bias_add-narrow20": ("narrow20", 256),
    "correlation": ("tflite", 1),
    "correlation-narrow20": ("narrow20", 256),
    "linear": ("tflite", 256),
    "matmul": ("tflite", 256),
    "max_pool": ("tflite", 256),
    "avg_pool": ("tflite", 256),
    "lookup": ("tflite", 256),
    "strided_slice": ("tflite", 256),
    "gather": ("tflite", 256),
    "layer_norm": ("integer-transformer", 64),
    "group_norm": ("integer-transformer", 64),
    "rms_norm": ("integer-transformer", 64),
    "softmax-integer-transformer": ("integer-transformer", 1),
    "integer_function-integer-transformer": ("integer-transformer", 1),
    "rotary-integer-transformer": ("integer-transformer", 1),
    "masked_softmax-integer-transformer": ("integer-transformer", 1),
    "cache_write-integer-transformer": ("integer-transformer", 64),
    "embedding-integer-transformer": ("integer-transformer", 64),
}


def same(found: Case, wanted: Case) -> None:
    assert (found.name, found.primitive) == (wanted.name, wanted.primitive)
    assert found.attributes == wanted.attributes
    assert found.formats == wanted.formats
    assert found.classes == wanted.classes
    for name in ("operands", "constants"):
        arrays, others = getattr(found, name), getattr(wanted, name)
        assert set(arrays) == set(others)
        assert all(np.array_equal(arrays[key], others[key]) for key in arrays), found.name
    assert np.array_equal(found.expected, wanted.expected), found.name


def test_every_committed_set_is_known_and_small() -> None:
    folders = {path.name for path in GOLDEN.iterdir() if path.is_dir()}
    assert folders == {*DIRECTED, "digits-layer"}
    sizes = [path.stat().st_size for path in GOLDEN.rglob("*") if path.is_file()]
    assert sum(sizes) < 1_400_000


@pytest.mark.parametrize("folder", DIRECTED)
def test_a_directed_set_is_right_and_reproducible(folder: str) -> None:
    name, count = DIRECTED[folder]
    target = Target.load(name)
    checked = check(GOLDEN / folder, target=target)
    assert checked.ok
    again = directed.cases(folder.split("-")[0], target, 0, count)
    for found, wanted in zip(load(GOLDEN / folder).cases, again, strict=True):
        same(found, wanted)


def test_the_layer_of_digits_is_right_and_reproducible(tmp_path: Path) -> None:
    assert check(GOLDEN / "digits-layer", target=Target.load("tflite")).ok
    full = tmp_path / "full"
    assert main(["golden", "record", "digits", "-o", str(full), "--samples", "1"]) == 0
    committed = load(GOLDEN / "digits-layer")
    # Recorded on another processor: the whole network is the same here.
    assert committed.network == load(full).network
    kept = committed.cases
    assert [case.primitive for case in kept] == ["correlation", "bias_add", "requantize"]
    for found, wanted in zip(kept, load(full).cases, strict=False):
        same(found, wanted)

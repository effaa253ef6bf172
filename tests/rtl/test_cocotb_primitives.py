"""Every primitive's cocotb tests on directed vectors, on both simulators, with their coverage.

One simulation plays the directed vectors of all cases that share a unit; its tests and its coverage
are those of ``rtl_tb/tb/test_<primitive>.py``. Small arrays: the tests are about the streams.
Icarus, which starts at once, takes every scheme; what Verilator has to compile for minutes is one
unit of each kind of stream, and the others under ``pytest -m soak``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from cocotb_tools.check_results import get_results

from hw_models import FixedFormat
from hw_models.schemes import FixedPoint
from qsim.cosim.jobs import conv_engine
from qsim.cosim.jobs.makers import job
from qsim.cosim.jobs.unit import Job
from qsim.cosim.lanes.cocotb_lane import cocotb_recipe, play
from qsim.cosim.lanes.interface import Stimulus
from qsim.cosim.simulators.builds import build
from qsim.cosim.simulators.toolchain import find
from qsim.cosim.simulators.wrapper import design
from qsim.errors import UsageError
from qsim.golden import Case
from qsim.golden.directed import cases, variants
from tests.qsim.cosim.jobs import array_cases as make

SEED = 20250
TESTS = 6  # of each module
MOST = 2500  # beats of a simulation, about
NORMS = ("layer_norm", "rms_norm")
# The primitive and the target whose scheme and widths it has.
UNITS = [
    ("requantize", "tflite"),
    ("requantize", "tflite-single"),
    ("requantize", "q7"),
    ("requantize", "litert-optimized"),
    ("requantize", "tflite-int16x8"),
    ("requantize", "tosa"),
    ("requantize", "deeploy-like"),
    ("requantize", "nvdla-like"),
    ("bias_add", "tflite"),
    ("bias_add", "narrow20"),
    ("add", "tflite"),
    ("add", "q7"),
    ("lookup", "tflite"),
    ("max_pool", "tflite"),
    ("avg_pool", "tflite"),
    ("correlation", "tflite"),
    ("correlation", "narrow20"),
    ("strided_slice", "tflite"),
    ("gather", "tflite"),
    ("layer_norm", "integer-transformer"),
    ("rms_norm", "integer-transformer"),
    ("softmax", "integer-transformer"),
    ("integer_function", "integer-transformer"),
    ("rotary", "integer-transformer"),
]
# The units that Verilator compiles in every run, one for each kind of stream: a result for a beat,
# a table that is written first, a result for a window, a result for a packet in lanes.
COMPILED = {
    ("requantize", "tflite"),
    ("lookup", "tflite"),
    ("avg_pool", "tflite"),
    ("correlation", "narrow20"),
}
# Their streams are of these kinds; moves have wide multiplexers: half a minute of Verilator.
INTERPRETED = {
    *("bias_add", "add", "max_pool", "strided_slice", "gather"),
    *("layer_norm", "rms_norm", "softmax", "integer_function", "rotary"),
}
SIMULATED = [
    pytest.param(*unit, simulator, marks=[pytest.mark.soak] if late else [])
    for unit in UNITS
    for simulator in ("icarus", "verilator")
    for late in [
        unit[0] in ("rms_norm", "integer_function", "rotary")
        or (simulator == "verilator" and unit not in COMPILED)
    ]
]


def by_unit(found: Sequence[Case], target: str) -> list[list[Job]]:
    """Return the jobs of cases that have RTL, those of one unit together, the most beats first."""
    small = make.target(2, 2, target)
    groups: dict[str, list[Job]] = {}
    for case in found:
        try:
            made = job(case, small)
        except UsageError:  # a scheme without RTL
            continue
        groups.setdefault(repr(made.unit), []).append(made)
    return sorted(groups.values(), key=lambda jobs: -sum(len(made.beats) for made in jobs))


def together(jobs: Sequence[Job], most: int = MOST) -> Job:
    """Return one job that does several, shortened to so many beats, about.

    A lookup fills its table first: one job is all. A packet longer than half of the beats is left
    to the bulk lane.
    """
    chosen = [made for made in jobs if longest_packet(made) <= most // 2]
    if jobs[0].primitive == "lookup":
        return chosen[0]
    parts = [shortened(made, most // len(chosen)) for made in chosen]
    return replace(
        parts[0],
        beats=np.concatenate([part.beats for part in parts]),
        last=np.concatenate([part.last for part in parts]),
        expected=np.concatenate([part.expected for part in parts]),
        expected_last=np.concatenate([part.expected_last for part in parts]),
    )


def longest_packet(made: Job) -> int:
    """Return the beats of a job's longest packet."""
    return int(np.diff(np.flatnonzero(made.last), prepend=-1).max())


def shortened(made: Job, most: int) -> Job:
    """Return packets of a job, picked at random from all of it: so many beats, about."""
    number: npt.NDArray[np.int64] = np.cumsum(made.last) - made.last
    results: npt.NDArray[np.int64] = np.cumsum(made.expected_last) - made.expected_last
    # Parameters of channels repeat with small periods: every n-th packet would miss some.
    picked = np.random.default_rng(SEED).random(number[-1] + 1) < most / len(made.beats)
    picked[0] = True
    sent, taken = picked[number], picked[results]
    return replace(
        made,
        beats=made.beats[sent],
        last=made.last[sent],
        expected=made.expected[taken],
        expected_last=made.expected_last[taken],
    )


@lru_cache(maxsize=1)
def directed_job(primitive: str, target: str) -> Job:
    """Return the directed vectors of a unit, which both simulators play."""
    found = cases(primitive, make.target(2, 2, target), SEED, 0)
    # Between two rows of a norm lie the digits of a root.
    return together(by_unit(found, target)[0], MOST // 3 if primitive in NORMS else MOST)


def engine() -> Job:
    """Return two images through a layer with padding, in tiles of two channels."""
    sums = make.correlation((2, 2, 4, 4), (3, 2, 3, 2), padding=1, x_zero_point=-5)
    scheme = FixedPoint((1 << 30, 1700000000, 2**31 - 1), (39, 40, 41), "double")
    layer = make.layer(sums, scheme, zero_point=0, output=FixedFormat(8))
    return conv_engine.job(layer, make.target(2, 1, memory=4096))


def check(made: Job, simulator: str, folder: Path) -> dict[str, int]:
    """Run a primitive's tests; return the counts of its bins, without the impossible ones."""
    built = build(cocotb_recipe(design(made.unit), find(simulator)))
    module = f"rtl_tb.tb.test_{made.primitive}"
    nonce = play(made, built, module, folder, Stimulus(SEED))
    log = (folder / "log.txt").read_text("utf-8")
    assert get_results(folder / "results.xml") == (TESTS, 0), log[-6000:]
    document = json.loads((folder / "coverage.json").read_bytes())
    assert document["nonce"] == nonce
    bins: dict[str, int] = document["bins"]
    assert not {name for name in document["impossible"] if bins[name]}, "not impossible"
    return {name: count for name, count in bins.items() if name not in document["impossible"]}


@pytest.mark.parametrize(("primitive", "target", "simulator"), SIMULATED)
def test_directed_vectors_agree_and_cover_all(
    primitive: str, target: str, simulator: str, tmp_path: Path
) -> None:
    bins = check(directed_job(primitive, target), simulator, tmp_path)

    assert not [name for name, count in bins.items() if not count]


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_a_layer_agrees_and_covers_all(simulator: str, tmp_path: Path) -> None:
    bins = check(engine(), simulator, tmp_path)

    assert not [name for name, count in bins.items() if not count]


def test_every_primitive_is_compiled_or_left_to_icarus() -> None:
    compiled = sorted(primitive for primitive, _ in COMPILED)
    assert compiled == sorted({name for name, _ in UNITS} - INTERPRETED)
    assert set(UNITS) >= COMPILED


@pytest.mark.soak
@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
@pytest.mark.parametrize("primitive", ["requantize", "bias_add", "add", "avg_pool", "correlation"])
def test_every_other_scheme_and_rounding(primitive: str, simulator: str, tmp_path: Path) -> None:
    small = make.target(2, 2)
    for index, jobs in enumerate(by_unit(list(variants(primitive, small, SEED, 0)), "tflite")):
        folder = tmp_path / str(index)
        folder.mkdir()
        check(together(jobs), simulator, folder)


def test_the_same_seed_gives_the_same_report(tmp_path: Path) -> None:
    reports = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        jobs = by_unit(cases("bias_add", make.target(2, 2), SEED, 0), "tflite")[0]
        check(together(jobs, 300), "icarus", folder)
        reports.append(json.loads((folder / "coverage.json").read_bytes())["bins"])

    assert reports[0] == reports[1]

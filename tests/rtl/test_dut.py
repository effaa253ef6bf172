"""Designs of other styles behind the wrapper: every handshake and packing, on both simulators."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qsim.cosim.dut.errors import explain
from qsim.cosim.dut.file import load
from qsim.cosim.dut.ports import declared
from qsim.cosim.dut.wrapper import design
from qsim.cosim.jobs.makers import job
from qsim.cosim.lanes.bulk import bulk_recipe, run_bulk
from qsim.cosim.lanes.interface import Stimulus
from qsim.cosim.simulators import BuildError, build
from qsim.cosim.simulators.toolchain import find
from qsim.errors import UsageError
from qsim.golden import directed
from qsim.target import Target
from tests.rtl.sums import sums
from tests.tree import SCALER

if TYPE_CHECKING:
    from qsim.cosim.dut.binding import Dut
    from qsim.cosim.jobs.unit import Job, Unit
    from qsim.cosim.simulators import Build

DUTS = Path(__file__).parent / "duts"
SIMULATORS = ("icarus", "verilator")
# What does not depend on the simulator, which each of these tests would have to compile for.
ONE = ("icarus", pytest.param("verilator", marks=pytest.mark.soak))
STIMULI = (
    Stimulus(),
    Stimulus(seed=1, stall_input=0.4, stall_output=0.4),
    Stimulus(seed=2, stall_input=0.2, stall_output=0.6, resets=(40,)),
)


def made(dut: Dut, unit: Unit, simulator: str) -> Build:
    return build(bulk_recipe(design(dut, unit), find(simulator)))


def made_or_explained(dut: Dut, unit: Unit, simulator: str) -> None:
    try:
        made(dut, unit, simulator)
    except BuildError as error:
        explain(error, dut)
        raise


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("name", ["adder_streams", "adder_lanes", "adder_ports"])
def test_every_handshake_and_packing_agrees(name: str, simulator: str) -> None:
    work = sums(301, wide=name == "adder_lanes")  # 451 beats: a last group of three lanes
    program = made(load(DUTS / f"{name}.toml"), work.unit, simulator)
    for stimulus in STIMULI:
        result = run_bulk(work, program, stimulus)
        assert result.agrees, (stimulus, result)


@pytest.mark.parametrize("simulator", ONE)
def test_lanes_in_the_wrong_order_are_found(simulator: str) -> None:
    dut = dataclasses.replace(load(DUTS / "adder_lanes.toml"), lane_order="first_lowest")
    work = sums(40, wide=True)
    # The sums come out in the reversed order again: only operands that change places show it.
    swapped = dataclasses.replace(dut.operands["acc"], lsb=0)
    dut = dataclasses.replace(dut, operands={"acc": swapped, "bias": dut.operands["acc"]})
    assert run_bulk(work, made(dut, work.unit, simulator)).agrees  # a + b is b + a
    narrow = dataclasses.replace(dut.results["sum"], bits=20, stride=20)
    dut = dataclasses.replace(dut, results={"sum": narrow})
    result = run_bulk(work, made(dut, work.unit, simulator))
    assert result.differing > 0
    assert result.differences[0].beat < 4


@pytest.fixture(scope="module")
def vectors() -> list[Job]:
    target = Target.load("tflite")
    return [job(case, target) for case in directed.cases("requantize", target, 0, 200)]


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_the_example_agrees(simulator: str, vectors: list[Job]) -> None:
    dut = load(SCALER / "scaler.toml")
    program = made(dut, vectors[0].unit, simulator)
    for work in vectors:
        for stimulus in STIMULI[:2]:
            assert run_bulk(work, program, stimulus).agrees, work.name


@pytest.mark.parametrize("simulator", ONE)
def test_the_wrong_tie_of_the_example_is_found_where_it_is(
    simulator: str, vectors: list[Job]
) -> None:
    dut = dataclasses.replace(load(SCALER / "scaler.toml"), parameters={"TIES_AWAY": 0})
    program = made(dut, vectors[0].unit, simulator)
    work = vectors[0]
    result = run_bulk(work, program)
    assert 0 < result.differing < work.elements
    for difference in result.differences:
        expected, actual = (int(text, 16) for text in (difference.expected, difference.actual))
        # Ties of negative values: up instead of away from zero.
        assert (actual - expected) % 256 == 1


@pytest.mark.parametrize("simulator", ONE)
def test_another_latency_is_found(simulator: str, vectors: list[Job]) -> None:
    dut = dataclasses.replace(load(SCALER / "scaler.toml"), latency=3)
    assert run_bulk(vectors[0], made(dut, vectors[0].unit, simulator)).differing > 100


def copy(tmp_path: Path, old: str, new: str, file: str = "scaler.toml") -> Dut:
    folder = tmp_path / "scaler"
    shutil.copytree(SCALER, folder)
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return load(folder / "scaler.toml")


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize(
    ("old", "new", "message", "accepted"),
    [
        ('port = "acc"', 'port = "accu"', "operands.acc: port 'accu' is not a port of", "acc, "),
        ('port = "code"', 'port = "y"', "results.y: port 'y' is not a port of", "limits, code"),
        ('clock = "clk"', 'clock = "clock"', "clock: port 'clock' is not a port", "clk, rst_n"),
        ('port = "rst_n"', 'port = "rst"', "reset.port: port 'rst' is not a port", "clk, rst_n"),
        ("TIES_AWAY = 1", "TIES = 1", "parameters.TIES: parameter 'TIES' is not", "TIES_AWAY"),
        ('top = "scaler"', 'top = "scalar"', "top: no source has a module 'scalar'", "scaler"),
        ('top = "scaler"', 'top = "module"', "top: no source has a module 'module'", "scaler"),
    ],
)
def test_a_wrong_name_is_told_as_one(
    tmp_path: Path, vectors: list[Job], simulator: str, old: str, new: str, message: str,
    accepted: str,
) -> None:  # fmt: skip
    dut = copy(tmp_path, old, new)
    with pytest.raises(UsageError) as caught:
        made_or_explained(dut, vectors[0].unit, simulator)
    assert message in str(caught.value)
    assert accepted in caught.value.accepted


def test_a_byte_order_mark_is_told_as_one(tmp_path: Path, vectors: list[Job]) -> None:
    """Icarus skips such a file, and all after it, without a word."""
    dut = copy(tmp_path, "", "\ufeff", "scaler.v")
    with pytest.raises(UsageError, match=r"scaler\.v: it begins with a byte order mark"):
        made_or_explained(dut, vectors[0].unit, "icarus")


def test_an_open_input_is_refused(tmp_path: Path, vectors: list[Job]) -> None:
    dut = copy(tmp_path, "input             clk,", "input             enable, clk,", "scaler.v")
    with pytest.raises(UsageError, match="nothing drives the input 'enable' of module scaler"):
        design(dut, vectors[0].unit)


def test_what_a_function_takes_is_no_port(tmp_path: Path, vectors: list[Job]) -> None:
    inside = "endmodule", "function [3:0] f; input [3:0] i; f = i; endfunction\nendmodule"
    dut = copy(tmp_path, *inside, "scaler.v")
    assert declared(dut) == declared(load(SCALER / "scaler.toml"))
    design(dut, vectors[0].unit)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_other_errors_stay_the_compilers_own(
    tmp_path: Path, vectors: list[Job], simulator: str
) -> None:
    dut = copy(tmp_path, "code <= 0;", "code <= nothing;", "scaler.v")
    with pytest.raises(BuildError) as caught:
        made(dut, vectors[0].unit, simulator)
    explain(caught.value, dut)  # raises nothing of its own
    assert "nothing" in str(caught.value)
    assert "scaler.v:" in str(caught.value)

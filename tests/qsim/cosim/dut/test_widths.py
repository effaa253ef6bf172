"""Results as wide as the ports of a design: what a port must hold, by signs on either side."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from qsim.cosim.dut.binding import Binding
from qsim.cosim.dut.file import load
from qsim.cosim.dut.widths import widened, widened_unit
from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.unit import Job, Unit
from tests.tree import FAULTS

CODES = np.array([[-5, 7], [-128, 127]])


def made(*, signed: bool, values: np.ndarray) -> Job:
    field = Field("sum", 8, signed, lanes=2)
    unit = Unit("bias_add", "bias_add", (), {}, Layout((Field("acc", 8, True),)), Layout((field,)))
    last = np.array([False, True])
    return Job(
        name="codes",
        layer="",
        primitive="bias_add",
        unit=unit,
        beats=unit.inputs.pack({"acc": 0}, 2),
        last=last,
        expected=unit.outputs.pack({"sum": values}, 2),
        expected_last=last,
        field="sum",
        element=np.arange(4).reshape(2, 2),
        shape=(4,),
    )


@pytest.mark.parametrize(
    ("of_code", "of_port", "values", "held"),
    [
        (True, True, CODES, [[0xFFFB, 0x0007], [0xFF80, 0x007F]]),
        (True, False, CODES, [[0x00FB, 0x0007], [0x0080, 0x007F]]),
        (False, True, CODES % 256, [[0x00FB, 0x0007], [0x0080, 0x007F]]),
        (False, False, CODES % 256, [[0x00FB, 0x0007], [0x0080, 0x007F]]),
    ],
)
def test_a_port_holds_the_extension_of_a_code(
    of_code: bool, of_port: bool, values: np.ndarray, held: list[list[int]]
) -> None:
    dut = load(FAULTS / "held_adder.toml")
    dut = dataclasses.replace(dut, results={"sum": Binding(("sum",), 16, of_port, stride=16)})

    job = widened(dut, made(signed=of_code, values=values))

    assert job.unit.outputs.width == 32
    assert [[int(word) & 0xFFFF, int(word) >> 16] for word in job.expected[:, 0]] == held
    assert widened(dut, job) is job
    assert widened_unit(dut, job.unit) == job.unit


def test_a_port_of_the_codes_width_or_less_changes_nothing() -> None:
    dut = load(FAULTS / "held_adder.toml")
    for bits in (8, 5):
        narrow = dataclasses.replace(dut, results={"sum": Binding(("sum",), bits, True)})
        job = made(signed=True, values=CODES)
        assert widened(narrow, job) is job

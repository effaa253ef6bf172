"""A stream register that adds one to a byte, and goes wrong where a beat tells it to."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.unit import Job, Unit
from qsim.cosim.lanes.bulk import bulk_recipe
from qsim.cosim.simulators import Build, build, toolchain
from qsim.cosim.simulators.wrapper import Design, design

SIMULATORS = ("icarus", "verilator")
FAULTS = (
    "none",
    "value",  # the result is one more
    "swallow",  # no result
    "repeat",  # the result comes twice
    "stop",  # nothing is accepted from here on
    "change",  # tdata changes while it waits
    "withdraw",  # tvalid falls while it waits
    "tdata_x",  # a bit of tdata is x
    "tvalid_x",
    "tlast",  # tlast is inverted
    "stale",  # tvalid does not fall in reset
    "late",  # tvalid waits for tready
    "babble",  # the result comes again and again, and nothing is accepted
)
TEXT = """\
module toy #(
    parameter int W = 12
) (
    input logic clk, input logic rst,
    input logic s_axis_tvalid, output logic s_axis_tready,
    input logic [W-1:0] s_axis_tdata, input logic s_axis_tlast,
    output logic m_axis_tvalid, input logic m_axis_tready,
    output logic [7:0] m_axis_tdata, output logic m_axis_tlast
);
  logic full, again, stopped;
  logic stale = 0;
  logic [3:0] fault;
  logic [7:0] y;
  wire take = m_axis_tvalid && m_axis_tready;
  assign m_axis_tvalid = fault == 8 && full ? 1'bx : full && (fault != 11 || m_axis_tready);
  assign m_axis_tdata = fault == 7 ? {y[7:1], 1'bx} : y;
  assign s_axis_tready = !stopped && (!full || (take && !again));
  always_ff @(posedge clk)
    if (rst) begin
      full <= stale && full;
      again <= 0;
      stopped <= 0;
      fault <= 0;
    end else begin
      if (take) begin
        full <= again;
        again <= fault == 12;
      end else if (full && fault == 5) y <= y ^ 8'h80;
      else if (full && fault == 6) full <= 0;
      if (s_axis_tvalid && s_axis_tready) begin
        full <= s_axis_tdata[11:8] != 2;
        again <= s_axis_tdata[11:8] == 3 || s_axis_tdata[11:8] == 12;
        stopped <= s_axis_tdata[11:8] == 4 || s_axis_tdata[11:8] == 12;
        stale <= s_axis_tdata[11:8] == 10;
        fault <= s_axis_tdata[11:8];
        y <= s_axis_tdata[7:0] + (s_axis_tdata[11:8] == 1 ? 8'd2 : 8'd1);
        m_axis_tlast <= s_axis_tlast ^ (s_axis_tdata[11:8] == 9);
      end
    end
endmodule
"""
UNIT = Unit(
    "requantize",
    "toy",
    ("toy.sv",),
    {"W": 12},
    Layout((Field("x", 8, signed=False), Field("fault", 4, signed=False))),
    Layout((Field("y", 8, signed=True),)),
)


def toy_design(folder: Path, text: str = TEXT) -> Design:
    """Return the toy, its source written to a folder."""
    (folder / "toy.sv").write_text(text)
    return design(UNIT, folder)


def toy_build(folder: Path, simulator: str, *, waves: bool = False) -> Build:
    """Return a build of the toy in the bulk bench; kept between runs of the tests."""
    return build(bulk_recipe(toy_design(folder), toolchain.find(simulator), waves=waves))


def toy_job(count: int, faults: dict[int, str] | None = None) -> Job:
    """Return a job of so many beats, in packets of four; some of them carry a fault.

    The elements of its result, of shape [1, count], lie in the beats in reverse.
    """
    x = np.arange(count) * 37 % 256
    codes = np.zeros(count, np.int64)
    for beat, name in (faults or {}).items():
        codes[beat] = FAULTS.index(name)
    last = np.arange(1, count + 1) % 4 == 0
    y = (x + 1) % 256
    return Job(
        name="toy.case",
        layer="toy",
        primitive="requantize",
        unit=UNIT,
        beats=UNIT.inputs.pack({"x": x, "fault": codes}, count),
        last=last,
        expected=UNIT.outputs.pack({"y": np.where(y > 127, y - 256, y)}, count),
        expected_last=last,
        field="y",
        element=np.arange(count)[::-1, None].copy(),
        shape=(1, count),
    )

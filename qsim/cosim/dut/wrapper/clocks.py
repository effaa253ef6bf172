"""Clocks of several rates: the bench's is the fastest, the others are divided from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.cosim.dut.wrapper.head import ports
from qsim.cosim.dut.wrapper.instance import clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.cosim.dut.binding import Dut
    from qsim.cosim.jobs import Unit


def ratios(dut: Dut) -> list[int]:
    """Return the rates of the clocks that are not the first one's, each once."""
    return sorted({ratio for ratio in dut.clocks.values() if ratio > 1})


def module(name: str, unit: Unit, clocks: list[int]) -> str:
    """Return the first lines of a module with the benches' ports, and further clocks."""
    further = "".join(f",\n    input  logic {clock(ratio)}" for ratio in clocks)
    return f"module {name} (\n{ports(unit)}{further}\n);"


def around(dut: Dut, unit: Unit, core: str, name: str) -> Iterator[str]:
    """Yield the module of the benches around one whose clock is slower than theirs."""
    fastest = max(ratios(dut))
    yield module(name, unit, [])
    yield f"""\
  wire tick, slow_clk, slow_rst, slow_s_ready, slow_m_valid, slow_m_ready, slow_m_last;
  wire [{unit.outputs.width - 1}:0] slow_m_data;
  qsim_divider #(.N({fastest})) divider (.clk, .slow(slow_clk), .tick);
  qsim_crossing #(.M_W({unit.outputs.width})) crossing (
      .clk, .rst, .tick, .slow_rst, .s_ready(s_axis_tready), .slow_s_ready, .slow_m_valid,
      .slow_m_ready, .slow_m_data, .slow_m_last, .m_valid(m_axis_tvalid), .m_ready(m_axis_tready),
      .m_data(m_axis_tdata), .m_last(m_axis_tlast));"""
    further = ""
    for ratio in ratios(dut):
        if ratio == fastest:
            further += f", .{clock(ratio)}(clk)"
            continue
        yield f"  wire {clock(ratio)}, tick_{ratio};"
        yield f"  qsim_divider #(.N({fastest // ratio})) divider_{ratio} ("
        yield f"      .clk, .slow({clock(ratio)}), .tick(tick_{ratio}));"
        further += f", .{clock(ratio)}"
    yield f"""\
  {core} core (
      .clk(slow_clk), .rst(slow_rst), .s_axis_tvalid(s_axis_tvalid && !slow_rst),
      .s_axis_tready(slow_s_ready), .s_axis_tdata, .s_axis_tlast, .m_axis_tvalid(slow_m_valid),
      .m_axis_tready(slow_m_ready), .m_axis_tdata(slow_m_data),
      .m_axis_tlast(slow_m_last){further});
endmodule"""

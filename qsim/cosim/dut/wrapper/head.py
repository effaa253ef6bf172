"""The head of the module: its ports, and the beats that are gathered before the design."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.cosim.dut.wrapper.frames import owed, require_packets

if TYPE_CHECKING:
    from qsim.cosim.dut.binding import Dut
    from qsim.cosim.jobs import Unit

_LOG_DEPTH: Final = 8  # base 2: 256 results in flight, more than the longest latency


def head(dut: Dut, unit: Unit) -> str:
    """Return the ports, and everything between them and the nets g_* and r_*."""
    produces = "1'b1"
    if dut.reduces:
        produces = "g_last"
    elif any(field.name == "load" for field in unit.inputs.fields):  # a table: no result
        produces = f"!g_data[{unit.inputs.offsets()['load']}]"
    return f"""\
// Around {dut.top}; made from its binding.
module dut (
    input  logic clk,
    input  logic rst,
    input  logic s_axis_tvalid,
    output logic s_axis_tready,
    input  logic [{unit.inputs.width - 1}:0] s_axis_tdata,
    input  logic s_axis_tlast,
    output logic m_axis_tvalid,
    input  logic m_axis_tready,
    output logic [{unit.outputs.width - 1}:0] m_axis_tdata,
    output logic m_axis_tlast
);
  localparam int S_W = {unit.inputs.width};
  localparam int M_W = {unit.outputs.width};
  localparam int LANES = {dut.lanes};
  localparam int COUNT_W = 8;
  localparam int LOG_DEPTH = {_LOG_DEPTH};
  logic g_valid, g_ready, g_last, r_valid, r_ready, issue, tag_empty, tag_full;
  logic [LANES*S_W-1:0] g_data;
  logic [LANES*M_W-1:0] r_data;
  logic [COUNT_W-1:0] g_count;
  logic [COUNT_W:0] tag;
  wire produces = {produces};

  dut_gather #(.W(S_W), .LANES(LANES), .COUNT_W(COUNT_W)) gather (
      .clk, .rst, .s_valid(s_axis_tvalid), .s_ready(s_axis_tready), .s_data(s_axis_tdata),
      .s_last(s_axis_tlast), .g_valid, .g_ready, .g_data, .g_count, .g_last);

{_known(dut, unit)}
  // A result that nothing asked for is passed on: the bench says so.
  dut_scatter #(.W(M_W), .LANES(LANES), .COUNT_W(COUNT_W)) scatter (
      .clk, .rst, .r_valid, .r_ready, .r_data,
      .r_count(tag_empty ? COUNT_W'(1) : tag[COUNT_W-1:0]), .r_last(!tag_empty && tag[COUNT_W]),
      .m_valid(m_axis_tvalid), .m_ready(m_axis_tready), .m_data(m_axis_tdata),
      .m_last(m_axis_tlast));
"""


def _known(dut: Dut, unit: Unit) -> str:
    """Return what is known of a result before it comes."""
    require_packets(dut, unit, 1 << _LOG_DEPTH)
    if unit.packet:
        return owed(dut, unit)
    return """\
  // What is known of a result before it comes: how many beats, and tlast.
  dut_fifo #(.W(COUNT_W + 1), .LOG_DEPTH(LOG_DEPTH)) tags (
      .clk, .rst, .push(issue && produces), .data({g_last, g_count}), .pop(r_valid && r_ready),
      .head(tag), .empty(tag_empty), .full(tag_full));
"""

"""The head of the module: its ports, and the beats that are gathered before the design."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.cosim.dut.wrapper.frames import owed, require_packets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qsim.cosim.dut.binding import Dut
    from qsim.cosim.jobs import Layout, Unit

_LOG_DEPTH: Final = 8  # base 2: 256 results in flight, more than the longest latency
_LOG_PACKET: Final = 12  # base 2, of the beats of a packet that is sent twice


def ports(unit: Unit) -> str:
    """Return the ports that the benches drive, without the parenthesis behind them."""
    return f"""\
    input  logic clk,
    input  logic rst,
    input  logic s_axis_tvalid,
    output logic s_axis_tready,
    input  logic [{unit.inputs.width - 1}:0] s_axis_tdata,
    input  logic s_axis_tlast,
    output logic m_axis_tvalid,
    input  logic m_axis_tready,
    output logic [{unit.outputs.width - 1}:0] m_axis_tdata,
    output logic m_axis_tlast"""


def mask(layout: Layout, names: Iterable[str]) -> str:
    """Return a literal of a beat's width, with the bits of some of its fields."""
    offsets, fields = layout.offsets(), {field.name: field for field in layout.fields}
    bits = 0
    for name in names:
        bits |= ((1 << fields[name].width) - 1) << offsets[name]
    return f"{layout.width}'h{bits:x}"


def head(dut: Dut, unit: Unit) -> str:
    """Return everything between the bench's streams and the nets g_* and r_*.

    Where no lanes are gathered, what the benches do on ready reaches the design in its own cycle.
    """
    through = bool(dut.output.ready) and dut.lanes == 1
    return f"""\
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
  logic r_last;
  wire asks = issue && produces;
  logic tag_last;
{chr(10).join(_gathered(dut, unit))}
  wire produces = {_produces(dut, unit)};

{_known(dut, unit)}
  // A result that nothing asked for is passed on: the bench says so.
  qsim_scatter #(.W(M_W), .LANES(LANES), .COUNT_W(COUNT_W), .THROUGH(1'b{through:d})) scatter (
      .clk, .rst, .r_valid, .r_ready, .r_data,
      .r_count(!tag_empty ? tag[COUNT_W-1:0] : asks ? g_count : COUNT_W'(1)), .r_last,
      .m_valid(m_axis_tvalid), .m_ready(m_axis_tready), .m_data(m_axis_tdata),
      .m_last(m_axis_tlast));
"""


def _known(dut: Dut, unit: Unit) -> str:
    """Return what is known of a result before it comes."""
    require_packets(dut, unit, 1 << _LOG_DEPTH)
    if unit.packet:
        return owed(dut, unit)
    return """\
  // What is known of a result before it comes: how many beats, and tlast. One that comes in the
  // cycle of its operation needs no place.
  assign tag_last = tag_empty ? g_last : tag[COUNT_W];
  qsim_fifo #(.W(COUNT_W + 1), .LOG_DEPTH(LOG_DEPTH)) tags (
      .clk, .rst, .push(asks && !(tag_empty && r_valid && r_ready)),
      .data({g_last, g_count}), .pop(r_valid && r_ready),
      .head(tag), .empty(tag_empty), .full(tag_full));
"""


def _produces(dut: Dut, unit: Unit) -> str:
    """Return whether the operation on g_data has a result."""
    if dut.reduces:
        return "g_last && !load" if dut.loads else "g_last"
    if unit.primitive in ("lookup", "interpolate"):  # writing the table makes no result
        return f"!g_data[{unit.inputs.offsets()['load']}]"
    return "1'b1"


def _gathered(dut: Dut, unit: Unit) -> Iterator[str]:
    """Yield how beats become the groups, or the repeated packets, that the design takes."""
    shared = [name for name, binding in dut.operands.items() if binding.shared]
    kept = f", .SHARED({mask(unit.inputs, shared)})" if shared and dut.lanes > 1 else ""
    kept += ", .THROUGH(1'b1)" if dut.handshake == "axi_stream" and dut.lanes == 1 else ""
    to = "b" if dut.loads or dut.lanes > 1 else "g"
    if dut.loads:
        yield "  logic b_valid, b_ready, b_last, load;"
        yield "  logic [LANES*S_W-1:0] b_data;"
        yield "  logic [COUNT_W-1:0] b_count;"
        yield "  assign g_count = COUNT_W'(1);  // one lane"
    if dut.lanes > 1:
        yield "  logic b_valid, b_ready, b_last;"
        yield "  logic [LANES*S_W-1:0] b_data;"
        yield "  logic [COUNT_W-1:0] b_count;"
    yield f"  qsim_gather #(.W(S_W), .LANES(LANES), .COUNT_W(COUNT_W){kept}) gather ("
    yield "      .clk, .rst, .s_valid(s_axis_tvalid), .s_ready(s_axis_tready),"
    yield f"      .s_data(s_axis_tdata), .s_last(s_axis_tlast), .g_valid({to}_valid),"
    yield f"      .g_ready({to}_ready), .g_data({to}_data),"
    yield f"      .g_count({to}_count), .g_last({to}_last));"
    if dut.loads:
        yield f"  qsim_replay #(.W(LANES * S_W), .LOG_DEPTH({_LOG_PACKET})) replay ("
        yield "      .clk, .rst, .b_valid, .b_ready, .b_data, .b_last, .idle(tag_empty),"
        yield "      .g_valid, .g_ready, .g_data, .g_last, .load);"
    if dut.lanes > 1:
        yield "  qsim_burst #(.W(LANES * S_W + COUNT_W + 1)) burst ("
        yield "      .clk, .rst, .offered(s_axis_tvalid), .taken(s_axis_tvalid && s_axis_tready),"
        yield "      .b_valid, .b_ready,"
        yield "      .b_data({b_last, b_count, b_data}), .g_valid, .g_ready,"
        yield "      .g_data({g_last, g_count, g_data}));"

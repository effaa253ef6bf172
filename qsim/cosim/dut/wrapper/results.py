"""From the result ports of the design to beats, buffered where it cannot wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from qsim.cosim.dut.wrapper.places import joined, net, places, resized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.cosim.dut.binding import Dut
    from qsim.cosim.jobs import Unit


def results(dut: Dut, unit: Unit) -> Iterator[str]:
    """Yield r_valid, r_data and r_last: what the design made, when it is taken."""
    offsets = unit.outputs.offsets()
    parts = []
    for field in unit.outputs.fields:
        binding = dut.results[field.name]
        for index, port, lsb in places(dut.results, dut, field.name, field.lanes):
            operation, lane = divmod(index, field.lanes)
            start = operation * unit.outputs.width + offsets[field.name] + lane * field.bits
            value = resized(net(port), lsb, binding.bits, field.bits, signed=binding.signed)
            parts.append((start, field.bits, value))
    yield f"  wire [LANES*M_W-1:0] out_data = {joined(dut, 'out_data', parts)};"
    made = _made(dut)
    if dut.output.ready and dut.lanes > 1:
        yield from _eased()
        return
    if dut.output.ready:
        yield "  assign r_valid = out_valid;"
        yield "  assign out_ready = r_ready;"
        yield "  assign r_data = out_data;"
        yield f"  assign r_last = {'out_last' if dut.output.last else 'tag_last'};"
        return
    yield from made
    last = "out_last" if dut.output.last else "1'b0"
    if dut.output.last:
        yield from _last(unit)
    yield f"""\
  logic empty, full, kept_last;
  qsim_fifo #(.W(LANES * M_W + 1), .LOG_DEPTH(LOG_DEPTH)) results (
      .clk, .rst, .push(out_made), .data({{{last}, out_data}}), .pop(r_ready),
      .head({{kept_last, r_data}}), .empty, .full);
  assign r_valid = !empty;
  assign r_last = {"kept_last" if dut.output.last else "tag_last"};"""


def _eased() -> Iterator[str]:
    """Yield a short buffer: lanes leave it one by one, and the design is not held up at once.

    Where the bench waits for valid, ready comes only after it here too.
    """
    yield """\
  logic empty, full, held_up;
  qsim_fifo #(.W(LANES * M_W), .LOG_DEPTH(2)) results (
      .clk, .rst, .push(out_valid && out_ready), .data(out_data), .pop(r_ready), .head(r_data),
      .empty, .full);
  always_ff @(posedge clk) held_up <= !rst && out_valid && !out_ready;
  assign out_ready = !full && (m_axis_tready || held_up);
  assign r_valid = !empty;
  assign r_last = tag_last;"""


def wanted_last(dut: Dut) -> str:
    """Return what the last of a result must be while the result is on its port."""
    return "tag_last" if dut.output.ready or not dut.output.last else "last_made"


def _last(unit: Unit) -> Iterator[str]:
    """Yield ``last_made``: a result leaves its port before the buffer gives it its tag."""
    if unit.packet:
        yield "  logic [31:0] made;"
        yield "  wire last_made = made == RESULTS - 32'd1;"
        yield "  always_ff @(posedge clk)"
        yield "    if (rst) made <= '0;"
        yield "    else if (out_made) made <= last_made ? '0 : made + 32'd1;"
        return
    yield """\
  logic first_last, none_asked;
  wire last_made = none_asked ? g_last : first_last;
  qsim_fifo #(.W(1), .LOG_DEPTH(LOG_DEPTH)) lasts (
      .clk, .rst, .push(asks && !(none_asked && out_made)), .data(g_last), .pop(out_made),
      .head(first_last), .empty(none_asked), .full());"""


def _made(dut: Dut) -> Iterator[str]:
    """Yield ``out_made``: a result that cannot wait is on its port."""
    match dut.handshake:
        case "axi_stream" | "valid_only":
            yield "  wire out_made = out_valid;"
        case "fixed_latency":
            yield f"  localparam int LATENCY = {dut.latency};"
            yield "  logic [LATENCY:0] asked;"
            yield "  assign asked[0] = issue && produces;"
            if dut.latency:
                shifted = "asked[LATENCY:1] <= rst ? '0 : asked[LATENCY-1:0];"
                yield f"  always_ff @(posedge clk) {shifted}"
            yield "  wire out_made = asked[LATENCY];"
        case "start_done":
            # Done may be a pulse, or stay until the next start; what rises unasked is told.
            yield "  logic done_before;"
            yield "  always_ff @(posedge clk) done_before <= out_done && !rst;"
            yield "  assign finished = running && out_done;"
            yield "  wire out_made = finished || (out_done && !done_before);"
        case _:
            assert_never(dut.handshake)

"""From the result ports of the design to beats, buffered where it cannot wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from qsim.cosim.dut.wrapper.places import joined, places, resized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.cosim.dut.binding import Dut
    from qsim.cosim.jobs import Unit


def results(dut: Dut, unit: Unit) -> Iterator[str]:
    """From the design's result ports to groups of results, buffered where it cannot wait."""
    offsets = unit.outputs.offsets()
    parts = []
    for field in unit.outputs.fields:
        binding = dut.results[field.name]
        for index, port, lsb in places(dut, binding, field.lanes):
            operation, lane = divmod(index, field.lanes)
            start = operation * unit.outputs.width + offsets[field.name] + lane * field.bits
            value = resized(f"p_{port}", lsb, binding.bits, field.bits, signed=binding.signed)
            parts.append((start, field.bits, value))
    yield f"  wire [LANES*M_W-1:0] out_data = {joined(dut, 'out_data', parts)};"
    match dut.handshake:
        case "axi_stream":
            yield "  assign r_valid = out_valid;"
            yield "  assign out_ready = r_ready;"
            yield "  assign r_data = out_data;"
            return
        case "fixed_latency":
            yield f"  localparam int LATENCY = {dut.latency};"
            yield "  logic [LATENCY:0] asked;"
            yield "  assign asked[0] = issue && produces;"
            if dut.latency:
                shifted = "asked[LATENCY:1] <= rst ? '0 : asked[LATENCY-1:0];"
                yield f"  always_ff @(posedge clk) {shifted}"
            yield "  wire out_valid = asked[LATENCY];"
        case "valid_only":
            pass  # out_valid is the design's own port
        case _:
            assert_never(dut.handshake)
    yield """\
  logic empty, full;
  dut_fifo #(.W(LANES * M_W), .LOG_DEPTH(LOG_DEPTH)) results (
      .clk, .rst, .push(out_valid), .data(out_data), .pop(r_ready), .head(r_data), .empty, .full);
  assign r_valid = !empty;"""

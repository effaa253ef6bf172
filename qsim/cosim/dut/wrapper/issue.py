"""When an operation enters the design, and on which of its handshakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.cosim.dut.binding import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.cosim.dut.binding import Dut


def issue(dut: Dut) -> Iterator[str]:
    """When an operation enters the design, and on which of its handshakes."""
    if dut.handshake != "axi_stream":
        yield "  assign g_ready = !tag_full;"
        yield "  assign issue = g_valid && g_ready;"
        if dut.input.valid:
            yield "  wire in_0 = issue;"
        return
    accepted = []
    for index, _ in enumerate(streams(dut)):
        yield f"  logic ready_{index}, done_{index};"
        yield f"  wire in_{index} = g_valid && !tag_full && !done_{index};"
        accepted.append(f"(done_{index} || ready_{index})")
        yield "  always_ff @(posedge clk)"
        yield f"    if (rst || issue) done_{index} <= 1'b0;"
        yield f"    else if (in_{index} && ready_{index}) done_{index} <= 1'b1;"
    yield f"  assign g_ready = !tag_full && {' && '.join(accepted)};"
    yield "  assign issue = g_valid && g_ready;"


def streams(dut: Dut) -> dict[Stream, list[str]]:
    """Return the input handshakes of the design, with the operands that belong to each."""
    streams: dict[Stream, list[str]] = {}
    for name, binding in dut.operands.items():
        streams.setdefault(binding.stream if binding.stream != Stream() else dut.input, []).append(
            name
        )
    return streams or {dut.input: []}

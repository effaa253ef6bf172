"""When an operation enters the design, and on which of its handshakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from qsim.cosim.dut.wrapper.head import mask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.cosim.dut.binding import Dut
    from qsim.cosim.jobs import Unit


# A stream may be valid before the others, or behind them: tried once the bench has paused.
_SKEWED: Final = """\
  logic tried, skewed;
  logic [15:0] dice;
  always_ff @(posedge clk)
    if (rst) begin
      tried <= 1'b0;
      skewed <= 1'b0;
      dice <= 16'h5eed;
    end else begin
      tried <= tried || g_valid;
      skewed <= skewed || (tried && !g_valid);
      dice <= {dice[14:0], dice[15] ^ dice[13] ^ dice[12] ^ dice[10]};
    end"""


def issue(dut: Dut, unit: Unit) -> Iterator[str]:
    """Yield ``issue``, ``g_ready``, and ``in_K``: the valid of each input handshake."""
    terms = ["!tag_full"]
    if dut.static:
        yield from _steady(dut, unit)
        terms.append("steady")
    if dut.interval > 1:
        yield from _paced(dut)
        terms.append("paced")
    yield f"  wire go = {' && '.join(terms)};"
    match dut.handshake:
        case "start_done":
            yield from _started(dut)
        case "axi_stream" | "valid_only" | "fixed_latency":
            yield from _streamed(dut)
        case _:
            assert_never(dut.handshake)


def _steady(dut: Dut, unit: Unit) -> Iterator[str]:
    """Registers of a layer: they change while nothing is in flight."""
    one = mask(unit.inputs, dut.static)
    yield "  logic steady;"
    yield "  logic [LANES*S_W-1:0] held;"
    yield f"  qsim_steady #(.W(LANES * S_W), .MASK({{LANES{{{one}}}}}), .SETTLE(8'd{dut.settle}))"
    yield "  registers (.clk, .rst, .valid(g_valid), .data(g_data), .idle(tag_empty),"
    yield "      .held, .steady);"


def _paced(dut: Dut) -> Iterator[str]:
    """An operation at most every so many cycles."""
    yield "  logic [15:0] pause;"
    yield "  wire paced = pause == '0;"
    yield "  always_ff @(posedge clk)"
    yield "    if (rst) pause <= '0;"
    yield f"    else if (issue) pause <= 16'd{dut.interval - 1};"
    yield "    else if (!paced) pause <= pause - 1'b1;"


def _streamed(dut: Dut) -> Iterator[str]:
    """Every handshake takes its part of the operation once; all together they issue it."""
    streams = dut.streams()
    accepted = []
    if len(streams) > 1:
        yield _SKEWED
    for index, (stream, names) in enumerate(streams.items()):
        mine, taken = [], [f"ready_{index}"]
        if len(streams) > 1:
            mine = [f"!done_{index}", f"(!skewed || up_{index} || dice[{5 * index % 16}])"]
            taken = [f"(in_{index} && ready_{index})", f"done_{index}"]
        if dut.loads:  # the operands of one pass are no part of the other
            loaded = dut.operands[names[0]].loaded
            mine.append("load" if loaded else "!load")
            taken.append("!load" if loaded else "load")
        yield f"  logic ready_{index};"
        if not stream.ready:
            yield f"  assign ready_{index} = 1'b1;"
        if len(streams) > 1:
            yield f"  logic done_{index}, up_{index};"
            yield f"  always_ff @(posedge clk) up_{index} <= !rst && in_{index} && !ready_{index};"
            yield "  always_ff @(posedge clk)"
            yield f"    if (rst || issue) done_{index} <= 1'b0;"
            yield f"    else if (in_{index} && ready_{index}) done_{index} <= 1'b1;"
        yield f"  wire in_{index} = {' && '.join(['g_valid', 'go', *mine])};"
        accepted.append(f"({' || '.join(taken)})")
    yield f"  assign g_ready = go && {' && '.join(accepted)};"
    yield "  assign issue = g_valid && g_ready;"


def _started(dut: Dut) -> Iterator[str]:
    """One operation at a time: start while the design is idle, until it says done."""
    yield "  logic running, finished;"
    if dut.output.busy:
        yield "  logic busy;"
    idle = "!running && !busy" if dut.output.busy else "!running"
    yield f"  wire in_0 = g_valid && go && {idle};"
    yield "  assign issue = in_0;"
    yield f"  assign g_ready = {'finished' if dut.input.hold else 'in_0'};"
    yield "  always_ff @(posedge clk)"
    yield "    if (rst) running <= 1'b0;"
    yield "    else if (in_0) running <= 1'b1;"
    yield "    else if (finished) running <= 1'b0;"

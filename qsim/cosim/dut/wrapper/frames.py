"""What is known of results before they come, where packets go in and others come out.

A packet has results of a count of its own (``Unit.packet``), so that no tag goes along with a beat.
A design whose results cannot wait gets a packet only while all of its results fit the buffer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.errors import UsageError

if TYPE_CHECKING:
    from qsim.cosim.dut.binding import Dut
    from qsim.cosim.jobs import Unit


def require_packets(dut: Dut, unit: Unit, depth: int) -> None:
    """Require a handshake that says when a result is there, and room for those of a packet.

    Args:
        dut: the design.
        unit: what it serves.
        depth: results that the buffer behind the design holds.

    Raises:
        UsageError: the binding cannot tell the results of a packet.
    """
    if not unit.packet:
        return
    if not dut.output.valid or dut.handshake not in ("axi_stream", "valid_only"):
        raise UsageError(
            f"the packets of {unit.primitive} come out at times of their own, which the handshake "
            f"{dut.handshake!r} does not say",
            where=f"{dut.where}: handshake",
            accepted='"axi_stream" or "valid_only"',
        )
    if dut.lanes > 1:
        raise UsageError(
            f"several operations a beat cannot be taken by {unit.primitive}, whose beats form "
            f"packets, not lanes = {dut.lanes}",
            where=dut.where,
            accepted="lanes = 1",
        )
    if not dut.output.ready and unit.packet > depth:
        raise UsageError(
            f"a packet of {unit.primitive} has {unit.packet} results, which a design that cannot "
            "wait sends into a buffer",
            where=f"{dut.where}: [output]",
            accepted=f"at most {depth} results, or a port ready",
        )


def owed(dut: Dut, unit: Unit) -> str:
    """Return what stands in the place of the tags: the results that packets still owe."""
    full = "1'b0" if dut.output.ready else "!begun && owed + RESULTS > 32'(1 << LOG_DEPTH)"
    return f"""\
  // Every packet comes out with as many results: what is owed is counted.
  localparam logic [31:0] RESULTS = {unit.packet};
  logic begun;
  logic [31:0] owed, sent;
  wire first = issue && !begun;
  wire back = r_valid && r_ready && (owed != '0 || first);
  assign tag = {{sent == RESULTS - 32'd1, COUNT_W'(1)}};
  assign tag_empty = owed == '0;
  assign tag_last = (first || !tag_empty) && tag[COUNT_W];
  assign tag_full = {full};
  always_ff @(posedge clk)
    if (rst) begin
      begun <= 1'b0;
      owed <= '0;
      sent <= '0;
    end else begin
      if (issue) begun <= !g_last;
      owed <= owed + (first ? RESULTS : 32'd0) - (back ? 32'd1 : 32'd0);
      if (back) sent <= tag[COUNT_W] ? '0 : sent + 32'd1;
    end
"""

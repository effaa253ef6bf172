// Max pooling: the largest code under a window, LANES windows side by side.
//
// Real meaning and integer formula: y = max over the packet's beats of x, lane by lane. Codes are
// compared; scale and zero point stay as they are.
//
// Corners: a packet (tlast ends it) holds the taps of one window that lie inside the input, in any
// order: padding never wins, so it is not sent. A packet of one beat gives that beat.
//
// Latency: 1 cycle from a packet's last beat. Throughput: one beat per cycle; while a result waits
// in the output register the next packet goes on, up to its own last beat.
//
// s_axis_tdata: x  IN_W x LANES, signed if IN_SIGNED
// m_axis_tdata: y  IN_W x LANES, one beat per packet, tlast = 1
module max_pool #(
    parameter int IN_W      = 8,
    parameter int IN_SIGNED = 1,
    parameter int LANES     = 1
) (
    input  logic                  clk,
    input  logic                  rst,
    input  logic                  s_axis_tvalid,
    output logic                  s_axis_tready,
    input  logic [LANES*IN_W-1:0] s_axis_tdata,
    input  logic                  s_axis_tlast,
    output logic                  m_axis_tvalid,
    input  logic                  m_axis_tready,
    output logic [LANES*IN_W-1:0] m_axis_tdata,
    output logic                  m_axis_tlast
);
  logic [LANES*IN_W-1:0] best, next;
  logic first;

  max_pool_core #(
      .IN_W(IN_W),
      .IN_SIGNED(IN_SIGNED),
      .LANES(LANES)
  ) core (
      .first(first),
      .best(best),
      .x(s_axis_tdata),
      .next(next)
  );

  packet_register #(
      .KEPT_W(LANES * IN_W),
      .WIDTH(LANES * IN_W)
  ) packet (
      .kept(best),
      .result(next),
      .*
  );
endmodule

// Average pooling: the rounded mean of the codes under a window, LANES windows side by side.
//
// Real meaning: the mean of the codes, in the same scale and with the same zero point.
//
// Integer formula, lane by lane: y = saturate(round(sum over the packet of x / beats)), see
// avg_pool_core.sv for every ROUNDING.
//
// Corners: a packet (tlast ends it) holds the taps that count, in any order; a padding tap that
// counts is sent as the zero point's code. The module counts the beats: at most 2**COUNT_W - 1,
// and SUM_W must hold every sum (IN_W + COUNT_W + 1 always does).
//
// Latency: 2 cycles from a packet's last beat: sums, then the combinational divider, which has a
// cycle of its own. Throughput: one beat per cycle, unless a finished sum waits for the output.
//
// s_axis_tdata: x  IN_W x LANES, signed if IN_SIGNED
// m_axis_tdata: y  OUT_W x LANES, one beat per packet, tlast = 1
module avg_pool #(
    parameter int IN_W       = 8,
    parameter int IN_SIGNED  = 1,
    parameter int OUT_W      = 8,
    parameter int OUT_SIGNED = 1,
    parameter int OUT_NARROW = 0,
    parameter int SUM_W      = 25,
    parameter int COUNT_W    = 16,
    parameter int ROUNDING   = 6,
    parameter int LANES      = 1
) (
    input  logic                   clk,
    input  logic                   rst,
    input  logic                   s_axis_tvalid,
    output logic                   s_axis_tready,
    input  logic [ LANES*IN_W-1:0] s_axis_tdata,
    input  logic                   s_axis_tlast,
    output logic                   m_axis_tvalid,
    input  logic                   m_axis_tready,
    output logic [LANES*OUT_W-1:0] m_axis_tdata,
    output logic                   m_axis_tlast
);
  logic [LANES*SUM_W-1:0] sums;
  logic [COUNT_W-1:0] count;
  logic [LANES*OUT_W-1:0] means;
  logic first, done;  // the next beat starts a packet; the sums are those of a whole packet
  wire taken = s_axis_tvalid && s_axis_tready;
  wire free = !m_axis_tvalid || m_axis_tready;

  for (genvar lane = 0; lane < LANES; lane++) begin : g_lane
    wire [IN_W-1:0] code = s_axis_tdata[lane*IN_W+:IN_W];
    wire [SUM_W-1:0] wide = {{(SUM_W - IN_W) {IN_SIGNED != 0 && code[IN_W-1]}}, code};
    wire [SUM_W-1:0] held = sums[lane*SUM_W+:SUM_W];

    always_ff @(posedge clk) if (taken) sums[lane*SUM_W+:SUM_W] <= first ? wide : held + wide;

    avg_pool_core #(
        .OUT_W(OUT_W),
        .OUT_SIGNED(OUT_SIGNED),
        .OUT_NARROW(OUT_NARROW),
        .SUM_W(SUM_W),
        .COUNT_W(COUNT_W),
        .ROUNDING(ROUNDING)
    ) core (
        .total(held),
        .count(count),
        .y(means[lane*OUT_W+:OUT_W])
    );
  end

  assign s_axis_tready = !done || free;
  assign m_axis_tlast  = 1'b1;

  always_ff @(posedge clk) begin
    if (taken) count <= first ? COUNT_W'(1) : count + COUNT_W'(1);
    if (done && free) m_axis_tdata <= means;
    if (rst) begin
      first <= 1'b1;
      done <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end else begin
      if (taken) first <= s_axis_tlast;
      if (taken) done <= s_axis_tlast;
      else if (free) done <= 1'b0;
      if (free) m_axis_tvalid <= done;
    end
  end
endmodule

// Collects up to LANES beats for a design that takes several operations at once.
//
// A group is handed on when it is full, after a beat with tlast, or when no beat came for IDLE
// cycles. Lanes that no beat filled repeat the first one: operands stay within their ranges. A beat
// that differs from the group in a bit of SHARED begins the next one. THROUGH, of one lane: beats are
// handed on in their own cycle, with the stalls of the bench.
module qsim_gather #(
    parameter int W = 8,
    parameter int LANES = 1,
    parameter int COUNT_W = 8,
    parameter int IDLE = 16,
    parameter logic [W-1:0] SHARED = '0,
    parameter bit THROUGH = 0
) (
    input  logic               clk,
    input  logic               rst,
    input  logic               s_valid,
    output logic               s_ready,
    input  logic [W-1:0]       s_data,
    input  logic               s_last,
    output logic               g_valid,
    input  logic               g_ready,
    output logic [LANES*W-1:0] g_data,
    output logic [COUNT_W-1:0] g_count,
    output logic               g_last
);
  if (THROUGH) begin : g_through
    logic [W-1:0] kept = '0;
    always_ff @(posedge clk) if (s_valid) kept <= s_data;

    // Ready is heard only while valid is high; elsewhere the design's may be unknown.
    assign s_ready = !s_valid || g_ready;
    assign g_valid = s_valid;
    assign g_data  = s_valid ? s_data : kept;
    assign g_count = COUNT_W'(1);
    assign g_last  = s_valid && s_last;
    wire unused = &{1'b0, rst};
  end else begin : g_groups
    localparam logic [COUNT_W-1:0] FULL = COUNT_W'(LANES);
    localparam logic [7:0] LIMIT = 8'(IDLE);
    logic [7:0] waited;
    logic [COUNT_W-1:0] start;

    wire differs = s_valid && !g_valid && g_count != '0 && ((s_data ^ g_data[0+:W]) & SHARED) != '0;

    assign s_ready = g_valid ? g_ready : !differs;
    assign start   = g_valid ? '0 : g_count;  // a group that leaves makes room at once

    always_ff @(posedge clk)
      if (rst) begin
        g_valid <= 1'b0;
        g_count <= '0;
        g_last  <= 1'b0;
        waited  <= '0;
      end else if (s_valid && s_ready) begin
        for (int lane = 0; lane < LANES; lane++)
          if (COUNT_W'(lane) >= start) g_data[lane*W+:W] <= start == '0 || COUNT_W'(lane) == start
              ? s_data : g_data[0+:W];
        g_count <= start + 1'b1;
        g_last  <= s_last;
        g_valid <= s_last || start + 1'b1 == FULL;
        waited  <= '0;
      end else begin
        if (g_valid && g_ready) begin
          g_valid <= 1'b0;
          g_count <= '0;
        end else if (!g_valid && g_count != '0) begin
          waited <= waited + 1'b1;
          if (waited == LIMIT || differs) g_valid <= 1'b1;
        end
      end
  end
endmodule

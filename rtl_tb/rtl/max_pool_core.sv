// The larger of two codes, LANES times: what one tap does to the maxima so far. Pure.
//
// Integer formula: next = first ? x : max(best, x), lane by lane; signed if IN_SIGNED.
module max_pool_core #(
    parameter int IN_W      = 8,
    parameter int IN_SIGNED = 1,
    parameter int LANES     = 1
) (
    input  logic                  first,
    input  logic [LANES*IN_W-1:0] best,
    input  logic [LANES*IN_W-1:0] x,
    output logic [LANES*IN_W-1:0] next
);
  for (genvar lane = 0; lane < LANES; lane++) begin : g_lane
    wire [IN_W-1:0] old = best[lane*IN_W+:IN_W];
    wire [IN_W-1:0] now = x[lane*IN_W+:IN_W];
    wire larger = IN_SIGNED != 0 ? $signed(now) > $signed(old) : now > old;
    assign next[lane*IN_W+:IN_W] = first || larger ? now : old;
  end
endmodule

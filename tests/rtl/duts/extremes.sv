// The smallest and the largest code of a packet, one after the other. Cannot wait.
module extremes #(
    parameter bit SWAPPED = 0  // 1: the largest first, which is wrong
) (
    input  logic              clk,
    input  logic              rst,
    input  logic              in_valid,
    input  logic              in_last,
    input  logic signed [7:0] x,
    output logic              out_valid,
    output logic signed [7:0] y
);
  logic first, second;
  logic signed [7:0] low, high, kept;
  wire signed [7:0] lower = first || x < low ? x : low;
  wire signed [7:0] higher = first || x > high ? x : high;
  always_ff @(posedge clk)
    if (rst) {first, second, out_valid} <= 3'b100;
    else begin
      out_valid <= in_valid && in_last || second;
      second <= in_valid && in_last;
      if (second) y <= kept;
      if (in_valid) begin
        first <= in_last;
        low <= lower;
        high <= higher;
        if (in_last) begin
          y <= SWAPPED ? higher : lower;
          kept <= SWAPPED ? lower : higher;
        end
      end
    end
endmodule

// Matrix products of two columns at a time: a and b come on streams of their own, each with its last;
// the sum leaves with last when both have ended. WRONG 1: takes a new b
// while the one before is not used yet.
module vectors #(parameter WRONG = 0) (
    input clk, rst,
    input a_valid, output a_ready, input a_last, input [15:0] a,
    input b_valid, output b_ready, input b_last, input [31:0] b,
    output logic sum_valid, input sum_ready, output logic sum_last, output logic [63:0] sum
);
  logic a_held, b_held, a_end, b_end, first;
  logic signed [7:0] x[2], w[4];
  logic signed [31:0] acc[2];
  wire both = a_held && b_held && (!sum_valid || sum_ready);
  wire ends = a_end && b_end;
  assign a_ready = !a_held || both;
  assign b_ready = !b_held || WRONG != 0;
  always_ff @(posedge clk)
    if (rst) begin
      a_held <= 1'b0;
      b_held <= 1'b0;
      sum_valid <= 1'b0;
      first <= 1'b1;
    end else begin
      if (sum_ready) sum_valid <= 1'b0;
      if (both) begin
        a_held <= 1'b0;
        b_held <= 1'b0;
        first <= ends;
        for (int row = 0; row < 2; row++) begin
          acc[row] <= (first ? 32'sd0 : acc[row]) + x[0] * w[2*row] + x[1] * w[2*row+1];
          sum[row*32+:32] <= (first ? 32'sd0 : acc[row]) + x[0] * w[2*row] + x[1] * w[2*row+1];
        end
        sum_valid <= ends;
        sum_last <= 1'b1;
      end
      if (a_valid && a_ready) begin
        a_held <= 1'b1;
        a_end <= a_last;
        for (int k = 0; k < 2; k++) x[k] <= a[k*8+:8];
      end
      if (b_valid && b_ready) begin
        b_held <= 1'b1;
        b_end <= b_last;
        for (int k = 0; k < 4; k++) w[k] <= b[k*8+:8];
      end
    end
endmodule

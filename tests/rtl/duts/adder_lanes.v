// bias_add, four at a time: {acc, bias} of the first in the highest bits; valid in, valid out three
// cycles later, no ready. 24-bit sums of 20-bit operands.
module adder_lanes (clk, rst_n, in_valid, operands, out_valid, sums);
  parameter LANES = 4;
  input clk, rst_n, in_valid;
  input [LANES*40-1:0] operands;
  output out_valid;
  output [LANES*24-1:0] sums;

  reg [2:0] valid;
  reg [LANES*24-1:0] stage1, stage2, stage3;
  integer k;
  assign out_valid = valid[2];
  assign sums = stage3;
  always @(posedge clk)
    if (!rst_n) valid <= 3'b0;
    else begin
      valid <= {valid[1:0], in_valid};
      for (k = 0; k < LANES; k = k + 1)
        stage1[k*24 +: 24] <= {{4{operands[k*40+39]}}, operands[k*40+20 +: 20]}
                            + {{4{operands[k*40+19]}}, operands[k*40 +: 20]};
      stage2 <= stage1;
      stage3 <= stage2;
    end
endmodule

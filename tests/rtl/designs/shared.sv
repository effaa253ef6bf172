// bias_add of four accumulators at a time, with one bias for all. WRONG 1: the first lane takes the
// bias of the group before.
module shared #(parameter WRONG = 0) (
    input clk, rst, in_valid,
    input [79:0] accs, input [19:0] bias,
    output logic out_valid, output logic [79:0] sums
);
  logic [19:0] held;
  always_ff @(posedge clk) begin
    out_valid <= in_valid && !rst;
    if (in_valid) held <= bias;
    for (int lane = 0; lane < 4; lane++)
      sums[lane*20+:20] <= accs[lane*20+:20] + (WRONG != 0 && lane == 0 ? held : bias);
  end
endmodule

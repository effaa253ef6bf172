// bias_add that takes an operation in every cycle, and holds 256 results back until they are taken.
// WRONG 1: it holds 16.
module patient #(parameter WRONG = 0) (
    input clk, rst,
    input in_valid, input signed [19:0] acc, bias,
    output out_valid, input out_ready, output signed [19:0] sum
);
  localparam int DEPTH = WRONG != 0 ? 16 : 256;
  logic signed [19:0] sums[DEPTH];
  logic [31:0] written, read;
  assign out_valid = written != read;
  assign sum = sums[read % DEPTH];
  always_ff @(posedge clk)
    if (rst) begin
      written <= 0;
      read <= 0;
    end else begin
      if (in_valid) begin
        sums[written % DEPTH] <= acc + bias;
        written <= written + 1;
      end
      if (out_valid && out_ready) read <= read + 1;
    end
endmodule

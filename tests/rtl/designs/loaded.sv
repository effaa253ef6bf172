// A linear layer's neuron: N weights are loaded, then N inputs come; it counts by itself, and the sum
// leaves with the last. WRONG 1: the last product is forgotten.
module loaded #(parameter N = 9, parameter WRONG = 0) (
    input clk, rst,
    input load, input signed [7:0] weight,
    input valid, input signed [7:0] x,
    output logic done, output logic signed [31:0] sum
);
  logic signed [7:0] weights[N];
  logic [7:0] filled, taken;
  logic signed [31:0] acc;
  wire signed [31:0] next = acc + weights[taken] * x;
  always_ff @(posedge clk)
    if (rst) begin
      filled <= '0;
      taken <= '0;
      acc <= '0;
      done <= 1'b0;
    end else begin
      done <= valid && taken == N - 1;
      if (load) begin
        weights[filled] <= weight;
        filled <= filled == N - 1 ? 8'd0 : filled + 8'd1;
      end
      if (valid) begin
        taken <= taken == N - 1 ? 8'd0 : taken + 8'd1;
        acc <= taken == N - 1 ? 32'sd0 : next;
        if (taken == N - 1) sum <= WRONG != 0 ? acc : next;
      end
    end
endmodule

// bias_add of two operations a beat: unpacked arrays, counted from either end, and a packed one.
module arrays #(parameter WRONG = 0) (
    input clk,
    input signed [19:0] acc [2],
    input signed [19:0] bias [1:0],
    output logic [1:0][19:0] sum
);
  always_ff @(posedge clk) begin
    sum[0] <= acc[0] + bias[WRONG];
    sum[1] <= acc[1] + bias[1-WRONG];
  end
endmodule

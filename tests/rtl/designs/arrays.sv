// bias_add of two operations a beat: a packed array, and unpacked ones that count from either end.
module arrays #(parameter WRONG = 0) (
    input clk,
    input [1:0][19:0] acc,
    input signed [19:0] bias [1:0],
    output logic signed [19:0] sum [2]
);
  always_ff @(posedge clk) begin
    sum[0] <= acc[0] + bias[WRONG];
    sum[1] <= acc[1] + bias[1-WRONG];
  end
endmodule

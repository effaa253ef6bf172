// bias_add whose valid and ready are active low. WRONG 1: never waits for its receiver.
module inverted #(parameter WRONG = 0) (
    input clk, rst,
    input in_valid_n, output in_ready_n, input signed [19:0] acc, bias,
    output logic out_valid_n, input out_ready_n, output logic signed [19:0] sum
);
  wire go = out_valid_n || !out_ready_n || WRONG != 0;
  assign in_ready_n = !go;
  always_ff @(posedge clk)
    if (rst) out_valid_n <= 1'b1;
    else if (go) begin
      out_valid_n <= in_valid_n;
      sum <= acc + bias;
    end
endmodule

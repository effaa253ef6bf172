// bias_add whose operands come on streams of their own. WRONG 1: whatever lies at bias is taken with
// acc; 2: at acc, with bias.
module joined #(parameter WRONG = 0) (
    input clk, rst,
    input acc_valid, output acc_ready, input signed [19:0] acc,
    input bias_valid, output bias_ready, input signed [19:0] bias,
    output logic out_valid, input out_ready, output logic signed [19:0] sum
);
  wire both = (acc_valid || WRONG == 2) && (bias_valid || WRONG == 1);
  wire go = !out_valid || out_ready;
  assign acc_ready = go && both;
  assign bias_ready = go && both;
  always_ff @(posedge clk)
    if (rst) out_valid <= 1'b0;
    else if (go) begin
      out_valid <= both;
      sum <= acc + bias;
    end
endmodule

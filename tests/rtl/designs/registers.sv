// bias_add whose bias is a register of the layer, read in the second stage: it may change only while
// the pipeline is empty. WRONG 1: takes a new bias one operation late.
module registers #(parameter WRONG = 0) (
    input clk, rst_n,
    input in_valid, output in_ready, input signed [19:0] acc,
    input signed [19:0] cfg_bias,
    output logic out_valid, input out_ready, output logic signed [19:0] sum
);
  logic valid;
  logic signed [19:0] held, late;
  wire go = !out_valid || out_ready;
  wire signed [19:0] bias = WRONG != 0 ? late : cfg_bias;
  assign in_ready = go;
  always_ff @(posedge clk or negedge rst_n)
    if (!rst_n) {valid, out_valid, late} <= '0;
    else if (go) begin
      valid <= in_valid;
      held <= acc;
      out_valid <= valid;
      sum <= held + bias;
      if (valid) late <= cfg_bias;
    end
endmodule

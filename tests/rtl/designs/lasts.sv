// bias_add with last on both sides. WRONG 1: last leaves one result late.
module lasts #(parameter WRONG = 0) (
    input clk, rst,
    input in_valid, output in_ready, input in_last, input signed [19:0] acc, bias,
    output logic out_valid, input out_ready, output out_last, output logic signed [19:0] sum
);
  logic last, late;
  wire go = !out_valid || out_ready;
  assign in_ready = go;
  assign out_last = WRONG != 0 ? late : last;
  always_ff @(posedge clk)
    if (rst) begin
      out_valid <= 1'b0;
      late <= 1'b0;
      last <= 1'b0;
    end else if (go) begin
      out_valid <= in_valid;
      sum <= acc + bias;
      if (in_valid) begin
        last <= in_last;
        late <= last;
      end
    end
endmodule

// bias_add with a stream for each operand, of 20-bit sums that wrap; active-high reset.
module adder_streams (
    input  logic clk, reset,
    input  logic acc_valid, output logic acc_ready, input logic signed [19:0] acc,
    input  logic bias_valid, output logic bias_ready, input logic signed [19:0] bias,
    output logic sum_valid, input logic sum_ready, output logic signed [19:0] sum
);
  // Takes the bias first, then the accumulator: two handshakes that do not meet.
  logic held;
  logic signed [19:0] kept;
  assign bias_ready = !held;
  assign acc_ready  = held && (!sum_valid || sum_ready);
  always_ff @(posedge clk)
    if (reset) begin
      held <= 1'b0;
      sum_valid <= 1'b0;
    end else begin
      if (sum_ready) sum_valid <= 1'b0;
      if (bias_valid && bias_ready) begin
        kept <= bias;
        held <= 1'b1;
      end
      if (acc_valid && acc_ready) begin
        sum <= acc + kept;
        sum_valid <= 1'b1;
        held <= 1'b0;
      end
    end
endmodule

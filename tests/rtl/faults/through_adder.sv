// bias_add without a register: its sum, and last, leave in the cycle of their operation. Ready depends
// on the operands: a sum of 0 takes a cycle more. While op_valid is low, ready may be unknown.
module through_adder (
    input  logic               clk,
    input  logic               rst,
    input  logic               op_valid,
    output logic               op_ready,
    input  logic               op_last,
    input  logic signed [15:0] acc,
    input  logic signed [15:0] bias,
    input  logic        [ 3:0] fault,
    output logic               sum_valid,
    input  logic               sum_ready,
    output logic               sum_last,
    output logic signed [15:0] sum
);
  logic slept;
  wire awake = sum != 0 || slept;
  assign sum = acc + bias;
  assign sum_last = op_last ^ (fault == 8);
  assign sum_valid = op_valid && awake;
  assign op_ready = sum_ready && awake;
  always_ff @(posedge clk) slept <= !rst && op_valid && sum == 0 && !(sum_valid && sum_ready);
endmodule

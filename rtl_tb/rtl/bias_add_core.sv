// The arithmetic of bias_add.sv, whose header defines it. Pure.
//
// Width: one bit more than the wider operand holds every sum.
module bias_add_core #(
    parameter int ACC_W    = 32,
    parameter int BIAS_W   = 32,
    parameter int SUM_W    = 32,
    parameter int OVERFLOW = 0
) (
    input  logic signed [ ACC_W-1:0] acc,
    input  logic signed [BIAS_W-1:0] bias,
    output logic signed [ SUM_W-1:0] sum
);
  localparam int EXACT_W = (ACC_W > BIAS_W ? ACC_W : BIAS_W) + 1;

  overflow #(
      .IN_W(EXACT_W),
      .OUT_W(SUM_W),
      .OVERFLOW(OVERFLOW)
  ) rule (
      .value(EXACT_W'(acc) + EXACT_W'(bias)),
      .y(sum)
  );
endmodule

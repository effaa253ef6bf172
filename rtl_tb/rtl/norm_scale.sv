// A code of a row becomes the sum that is rescaled: normalized, times its weight, plus its bias. Pure.
//
// Integer formula, in exact integers:
//   d = count * c - total;  n = floor((d * reciprocal + floor(2**shift / 2)) / 2**shift)
//   acc = n * weight + bias
//
// Corners: count * c, total and n fit 32 bits with a sign, d 33, d * reciprocal 64, acc 32, of rows and
// weights that hw_models.integer.norms takes.
module norm_scale #(
    parameter int C_W       = 10,
    parameter int COUNT_W   = 9,
    parameter int ROOT_BITS = 16,
    parameter int W_W       = 16
) (
    input  logic signed [    C_W-1:0] c,
    input  logic        [COUNT_W-1:0] count,
    input  logic signed [       31:0] total,
    input  logic        [ROOT_BITS:0] reciprocal,
    input  logic        [        5:0] shift,
    input  logic signed [    W_W-1:0] weight,
    input  logic signed [       31:0] bias,
    output logic signed [       31:0] acc
);
  wire signed [32:0] many = {{(33 - COUNT_W) {1'b0}}, count};
  wire signed [32:0] d = 33'(c) * many - 33'(total);
  wire signed [63:0] factor = {{(63 - ROOT_BITS) {1'b0}}, reciprocal};
  wire signed [63:0] rounded;
  wire signed [31:0] n = rounded[31:0];
  wire unused = &{1'b0, rounded[63:32]};

  round_shift #(
      .W(64),
      .SHIFT_W(6),
      .ROUNDING(4)
  ) half_up (
      .value(64'(d) * factor),
      .shift(shift),
      .draw(64'd0),
      .rounded(rounded)
  );
  assign acc = n * 32'(weight) + bias;
endmodule

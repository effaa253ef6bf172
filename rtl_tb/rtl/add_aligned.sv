// The sum of two offset codes whose scales are powers of two, before the zero point. Pure.
//
// Integer formula: value = rule((a << a_left) + (b << b_left)) / 2**shift: the exact sum, the
// overflow rule of a SUM_W-bit register (overflow.sv), the rounding shift (rescale_round.sv).
//
// Corners: a_left and b_left are 0 .. 30, the shift -62 .. 62 (negative: exact left shift).
//
// scales, least significant first: a_left 6, b_left 6, shift 7 (signed).
module add_aligned #(
    parameter int D_W      = 10,
    parameter int SUM_W    = 32,
    parameter int OVERFLOW = 0,
    parameter int ROUNDING = 8,
    localparam int V_W     = SUM_W + 62
) (
    input  logic signed [D_W-1:0] a,
    input  logic signed [D_W-1:0] b,
    input  logic        [   18:0] scales,
    input  logic        [   63:0] draw,
    output logic signed [V_W-1:0] value
);
  localparam int EXACT_W = D_W + 31;  // 30 bits of shift, and one for the sum
  wire signed [EXACT_W-1:0] lifted_a = EXACT_W'(a) <<< scales[5:0];
  wire signed [EXACT_W-1:0] lifted_b = EXACT_W'(b) <<< scales[11:6];
  wire signed [SUM_W-1:0] sum;
  wire negative = sum < 0;

  overflow #(
      .IN_W(EXACT_W),
      .OUT_W(SUM_W),
      .OVERFLOW(OVERFLOW)
  ) rule (
      .value(lifted_a + lifted_b),
      .y(sum)
  );

  rescale_round #(
      .P_W(SUM_W),
      .SCHEME(2),
      .ROUNDING(ROUNDING)
  ) round (
      .product(sum),
      .negative(negative),
      .shift(scales[18:12]),
      .draw(draw),
      .value(value)
  );
endmodule

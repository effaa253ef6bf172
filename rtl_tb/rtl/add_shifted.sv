// The sum of two offset codes as TFLite adds them, before the zero point. Pure.
//
// Integer formula: value = rescale_out(rescale_a(a << LEFT_SHIFT) + rescale_b(b << LEFT_SHIFT)), the
// three with a multiplier and a shift each, in the fixed-point SCHEME 0 (double) or 1 (single) of
// fixed_multiply.sv and rescale_round.sv.
//
// Corners: a 32-bit register. A shifted operand or a sum that does not fit it is refused by
// hw_models, so the bits above are dropped here.
//
// scales, least significant first: a_multiplier MUL_W, a_shift 7, b_.., out_.., all signed.
module add_shifted #(
    parameter int D_W        = 10,
    parameter int MUL_W      = 32,
    parameter int SCHEME     = 0,
    parameter int LEFT_SHIFT = 20,
    localparam int V_W       = SCHEME == 0 ? 32 : 32 + MUL_W
) (
    input  logic signed [        D_W-1:0] a,
    input  logic signed [        D_W-1:0] b,
    input  logic        [3*(MUL_W+7)-1:0] scales,
    output logic signed [        V_W-1:0] value
);
  localparam int B = MUL_W + 7;  // lowest bits of the scales
  localparam int OUT = 2 * (MUL_W + 7);

  wire signed [D_W+31:0] lifted_a = (D_W + 32)'(a) <<< LEFT_SHIFT;
  wire signed [D_W+31:0] lifted_b = (D_W + 32)'(b) <<< LEFT_SHIFT;
  wire signed [V_W-1:0] rescaled_a, rescaled_b;
  wire signed [V_W-1:0] sum = rescaled_a + rescaled_b;
  wire unused = &{1'b0, lifted_a, lifted_b, sum};

  fixed_rescale #(
      .MUL_W(MUL_W),
      .SCHEME(SCHEME)
  ) rescale_a (
      .x(lifted_a[31:0]),
      .multiplier(scales[0+:MUL_W]),
      .shift(scales[MUL_W+:7]),
      .value(rescaled_a)
  );

  fixed_rescale #(
      .MUL_W(MUL_W),
      .SCHEME(SCHEME)
  ) rescale_b (
      .x(lifted_b[31:0]),
      .multiplier(scales[B+:MUL_W]),
      .shift(scales[B+MUL_W+:7]),
      .value(rescaled_b)
  );

  fixed_rescale #(
      .MUL_W(MUL_W),
      .SCHEME(SCHEME)
  ) rescale_out (
      .x(sum[31:0]),
      .multiplier(scales[OUT+:MUL_W]),
      .shift(scales[OUT+MUL_W+:7]),
      .value(value)
  );
endmodule

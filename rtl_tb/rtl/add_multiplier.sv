// The sum of two offset codes with a multiplier each and one rounding, before the zero point. Pure.
//
// Integer formula: value = (a * a_multiplier + b * b_multiplier) / 2**shift, rounded as ROUNDING
// says (round_shift.sv).
//
// Corners: the sum is exact; the shift is 0 .. 31.
//
// scales, least significant first: a_multiplier MUL_W, b_multiplier MUL_W, shift 7, all signed.
module add_multiplier #(
    parameter int D_W      = 10,
    parameter int MUL_W    = 24,
    parameter int ROUNDING = 6,
    localparam int V_W     = D_W + MUL_W + 1
) (
    input  logic signed [    D_W-1:0] a,
    input  logic signed [    D_W-1:0] b,
    input  logic        [2*MUL_W+6:0] scales,
    output logic signed [    V_W-1:0] value
);
  wire signed [MUL_W-1:0] a_multiplier = scales[0+:MUL_W];
  wire signed [MUL_W-1:0] b_multiplier = scales[MUL_W+:MUL_W];
  wire signed [V_W-1:0] total = V_W'(a) * V_W'(a_multiplier) + V_W'(b) * V_W'(b_multiplier);
  wire unused = &{1'b0, scales[2*MUL_W+6:2*MUL_W+5]};

  round_shift #(
      .W(V_W),
      .SHIFT_W(5),
      .ROUNDING(ROUNDING)
  ) round (
      .value(total),
      .shift(scales[2*MUL_W+:5]),
      .draw(32'b0),
      .rounded(value)
  );

  if (ROUNDING == 11) begin : g_refused
    ROUNDING_must_be_0_to_10 refused ();
  end
endmodule

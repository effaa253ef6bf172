// The arithmetic of add.sv, whose header defines it. Pure.
//
// Width: a code less a zero point of one bit more is exact in IN_W + 2 bits.
//
// scales: the fields between b_zero_point and zero_point, as add_shifted.sv (SCHEMEs 0 and 1),
// add_aligned.sv (2) or add_multiplier.sv (3) takes them.
module add_core #(
    parameter int IN_W       = 8,
    parameter int IN_SIGNED  = 1,
    parameter int OUT_W      = 8,
    parameter int MUL_W      = 32,
    parameter int SCHEME     = 0,
    parameter int LEFT_SHIFT = 20,
    parameter int SUM_W      = 32,
    parameter int OVERFLOW   = 0,
    parameter int ROUNDING   = 0,
    localparam int SCALES_W  = SCHEME < 2 ? 3 * (MUL_W + 7) : SCHEME == 2 ? 19 : 2 * MUL_W + 7
) (
    input  logic        [    IN_W-1:0] a,
    input  logic        [    IN_W-1:0] b,
    input  logic signed [      IN_W:0] a_zero_point,
    input  logic signed [      IN_W:0] b_zero_point,
    input  logic        [SCALES_W-1:0] scales,
    input  logic signed [     OUT_W:0] zero_point,
    input  logic signed [     OUT_W:0] low,
    input  logic signed [     OUT_W:0] high,
    input  logic        [        63:0] draw,
    output logic        [   OUT_W-1:0] y
);
  localparam int D_W = IN_W + 2;
  localparam int V_W = SCHEME == 0 ? 32 : SCHEME == 1 ? 32 + MUL_W
                       : SCHEME == 2 ? SUM_W + 62 : D_W + MUL_W + 1;
  wire a_sign = IN_SIGNED != 0 && a[IN_W-1];
  wire b_sign = IN_SIGNED != 0 && b[IN_W-1];
  wire signed [D_W-1:0] offset_a = $signed({{2{a_sign}}, a}) - D_W'(a_zero_point);
  wire signed [D_W-1:0] offset_b = $signed({{2{b_sign}}, b}) - D_W'(b_zero_point);
  wire signed [V_W-1:0] value;

  if (SCHEME == 0 || SCHEME == 1) begin : g_shifted
    wire unused = &{1'b0, draw};
    add_shifted #(
        .D_W(D_W),
        .MUL_W(MUL_W),
        .SCHEME(SCHEME),
        .LEFT_SHIFT(LEFT_SHIFT)
    ) adder (
        .a(offset_a),
        .b(offset_b),
        .scales(scales),
        .value(value)
    );
  end else if (SCHEME == 2) begin : g_aligned
    add_aligned #(
        .D_W(D_W),
        .SUM_W(SUM_W),
        .OVERFLOW(OVERFLOW),
        .ROUNDING(ROUNDING)
    ) adder (
        .a(offset_a),
        .b(offset_b),
        .scales(scales),
        .draw(draw),
        .value(value)
    );
  end else if (SCHEME == 3) begin : g_multiplier
    wire unused = &{1'b0, draw};
    add_multiplier #(
        .D_W(D_W),
        .MUL_W(MUL_W),
        .ROUNDING(ROUNDING)
    ) adder (
        .a(offset_a),
        .b(offset_b),
        .scales(scales),
        .value(value)
    );
  end else begin : g_refused
    SCHEME_must_be_0_to_3 refused ();
  end

  code_clamp #(
      .W(V_W),
      .OUT_W(OUT_W)
  ) clamp (
      .value(value),
      .zero_point(zero_point),
      .low(low),
      .high(high),
      .y(y)
  );
endmodule

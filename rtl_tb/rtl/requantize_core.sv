// The arithmetic of requantize.sv, whose header defines it. Pure.
//
// Widths: acc - input_zero_point is exact in one bit more than the wider of the two; its product
// with the multiplier is exact in the sum of their widths. SCHEME 2 has no multiplier, and its
// "product" is the difference itself; SCHEME 7 adds to the product, which takes a bit more.
module requantize_core #(
    parameter int ACC_W    = 32,
    parameter int MUL_W    = 32,
    parameter int ZI_W     = 9,
    parameter int OUT_W    = 8,
    parameter int ADD_W    = 32,
    parameter int SCHEME   = 0,
    parameter int ROUNDING = 0
) (
    input  logic signed [ACC_W-1:0] acc,
    input  logic signed [MUL_W-1:0] multiplier,
    input  logic signed [ADD_W-1:0] addend,
    input  logic signed [      6:0] shift,
    input  logic signed [ ZI_W-1:0] input_zero_point,
    input  logic signed [  OUT_W:0] zero_point,
    input  logic signed [  OUT_W:0] low,
    input  logic signed [  OUT_W:0] high,
    input  logic        [     63:0] draw,
    output logic        [OUT_W-1:0] y
);
  localparam int X_W = (ACC_W > ZI_W ? ACC_W : ZI_W) + 1;
  localparam int M_W = (SCHEME == 0 || SCHEME == 3 ? 32 : X_W) + MUL_W;
  localparam int P_W = SCHEME == 2 ? X_W : SCHEME != 7 ? M_W : (M_W > ADD_W ? M_W : ADD_W) + 1;
  wire signed [X_W-1:0] x = X_W'(acc) - X_W'(input_zero_point);
  wire negative = x < 0;
  logic signed [P_W-1:0] product;

  if (SCHEME == 2) begin : g_shift
    wire unused = &{1'b0, multiplier, addend};
    assign product = x;
  end else begin : g_multiply
    wire signed [M_W-1:0] multiplied;

    fixed_multiply #(
        .X_W(X_W),
        .MUL_W(MUL_W),
        .SCHEME(SCHEME)
    ) multiply (
        .x(x),
        .multiplier(multiplier),
        .shift(shift),
        .product(multiplied)
    );
    if (SCHEME == 7) begin : g_add
      assign product = P_W'(multiplied) + P_W'(addend);
    end else begin : g_as_it_is
      wire unused = &{1'b0, addend};
      assign product = multiplied;
    end
  end

  requantize_round #(
      .P_W(P_W),
      .MUL_W(MUL_W),
      .OUT_W(OUT_W),
      .SCHEME(SCHEME),
      .ROUNDING(ROUNDING)
  ) round (
      .product(product),
      .negative(negative),
      .shift(shift),
      .zero_point(zero_point),
      .low(low),
      .high(high),
      .draw(draw),
      .y(y)
  );
endmodule

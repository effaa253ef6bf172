// What follows the product of a requantization: shifts, roundings, zero point, clamp. Pure.
//
// Integer formula: y = min(max(value + zero_point, low), high), value as rescale_round.sv says.
//
// requantize_core.sv is a multiplier and this: a proof that leaves the product free cuts here.
module requantize_round #(
    parameter int P_W      = 64,
    parameter int MUL_W    = 32,
    parameter int OUT_W    = 8,
    parameter int SCHEME   = 0,
    parameter int ROUNDING = 0
) (
    input  logic signed [  P_W-1:0] product,
    input  logic                    negative,
    input  logic signed [      6:0] shift,
    input  logic signed [  OUT_W:0] zero_point,
    input  logic signed [  OUT_W:0] low,
    input  logic signed [  OUT_W:0] high,
    input  logic        [     63:0] draw,
    output logic        [OUT_W-1:0] y
);
  localparam int V_W = SCHEME == 0 || SCHEME == 3 ? 32 : SCHEME == 2 ? P_W + 62 : P_W;
  wire signed [V_W-1:0] value;

  rescale_round #(
      .P_W(P_W),
      .MUL_W(MUL_W),
      .SCHEME(SCHEME),
      .ROUNDING(ROUNDING)
  ) rescale (
      .product(product),
      .negative(negative),
      .shift(shift),
      .draw(draw),
      .value(value)
  );

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

// A whole fixed-point rescaling of a 32-bit register: product, shifts, roundings. Pure.
//
// Integer formula: value ~ x * multiplier / 2**shift, in SCHEME 0 (double) or 1 (single) as
// fixed_multiply.sv and rescale_round.sv define them.
module fixed_rescale #(
    parameter int MUL_W  = 32,
    parameter int SCHEME = 0,
    localparam int V_W   = SCHEME == 0 ? 32 : 32 + MUL_W
) (
    input  logic signed [     31:0] x,
    input  logic signed [MUL_W-1:0] multiplier,
    input  logic signed [      6:0] shift,
    output logic signed [  V_W-1:0] value
);
  wire signed [32+MUL_W-1:0] product;

  wire negative = x < 0;

  fixed_multiply #(
      .X_W(32),
      .MUL_W(MUL_W),
      .SCHEME(SCHEME)
  ) multiply (
      .x(x),
      .multiplier(multiplier),
      .shift(shift),
      .product(product)
  );

  rescale_round #(
      .P_W(32 + MUL_W),
      .MUL_W(MUL_W),
      .SCHEME(SCHEME)
  ) round (
      .product(product),
      .negative(negative),
      .shift(shift),
      .draw(64'b0),
      .value(value)
  );

  if (SCHEME < 0 || SCHEME > 1) begin : g_refused
    SCHEME_must_be_0_or_1 refused ();
  end
endmodule

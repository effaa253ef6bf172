// The product of a fixed-point rescaling. Pure; rescale_round.sv does the rest.
//
// Integer formula: product = a * multiplier, where
//   SCHEME 0 (double): a = wrap32(x << max(MUL_W - 1 - shift, 0)), in gemmlowp's 32-bit register;
//   SCHEME 1 (single): a = x.
//
// Corners: with SCHEME 0, x must fit 32 bits (hw_models refuses others) and the shift is at most
// MUL_W + 30. The product is exact: -2**31 * -2**(MUL_W-1) needs the last one of its bits.
module fixed_multiply #(
    parameter int X_W    = 33,
    parameter int MUL_W  = 32,
    parameter int SCHEME = 0
) (
    input  logic signed [                     X_W-1:0] x,
    input  logic signed [                   MUL_W-1:0] multiplier,
    input  logic signed [                         6:0] shift,
    output logic signed [(SCHEME==0?32:X_W)+MUL_W-1:0] product
);
  localparam int A_W = SCHEME == 0 ? 32 : X_W;
  localparam int P_W = A_W + MUL_W;
  localparam logic signed [6:0] N = 7'(MUL_W - 1);

  wire [6:0] left = SCHEME == 0 && shift < N ? N - shift : '0;
  wire signed [A_W-1:0] a = A_W'(x) <<< left;
  wire unused = &{1'b0, x};  // SCHEME 0 has no use for bits above the register
  assign product = P_W'(a) * P_W'(multiplier);
endmodule

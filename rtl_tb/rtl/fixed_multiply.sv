// The product of a fixed-point rescaling. Pure; rescale_round.sv does the rest.
//
// Integer formula: product = a * multiplier, where
//   SCHEMEs 0, 3 (double): a = wrap32(x << max(MUL_W - 1 - shift, 0)), in gemmlowp's 32-bit register;
//   SCHEME 6 (reduced):    a = x, and instead of the 32-bit multiplier its upper half, rounded half
//                          up: min((multiplier + 2**15) >> 16, 2**15 - 1);
//   others:                a = x.
//
// Corners: with SCHEMEs 0 and 3, x must fit 32 bits (hw_models refuses others) and the shift is at
// most MUL_W + 30. SCHEME 6 has MUL_W = 32. The product is exact: -2**31 * -2**(MUL_W-1) needs the
// last one of its bits.
module fixed_multiply #(
    parameter int X_W    = 33,
    parameter int MUL_W  = 32,
    parameter int SCHEME = 0
) (
    input  logic signed [                                X_W-1:0] x,
    input  logic signed [                              MUL_W-1:0] multiplier,
    input  logic signed [                                    6:0] shift,
    output logic signed [(SCHEME==0||SCHEME==3?32:X_W)+MUL_W-1:0] product
);
  localparam int DOUBLE = SCHEME == 0 || SCHEME == 3 ? 1 : 0;
  localparam int A_W = DOUBLE != 0 ? 32 : X_W;
  localparam int P_W = A_W + MUL_W;
  localparam logic signed [6:0] N = 7'(MUL_W - 1);

  wire [6:0] left = DOUBLE != 0 && shift < N ? N - shift : '0;
  wire signed [A_W-1:0] a = A_W'(x) <<< left;
  wire unused = &{1'b0, x};  // SCHEMEs 0 and 3 have no use for bits above the register
  wire signed [MUL_W-1:0] m;

  if (SCHEME == 6) begin : g_reduced
    wire [MUL_W-15:0] upper = {multiplier[MUL_W-1], multiplier[MUL_W-1:15]} + 1'b1;
    wire over = upper[MUL_W-15:MUL_W-16] == 2'b01;
    wire unused_bits = &{1'b0, multiplier[14:0], upper[0]};
    assign m = over ? MUL_W'(16'h7fff) : MUL_W'($signed(upper[MUL_W-15:1]));
  end else begin : g_whole
    assign m = multiplier;
  end
  assign product = P_W'(a) * P_W'(m);

  if (SCHEME < 0 || SCHEME == 2 || SCHEME > 7) begin : g_refused
    SCHEME_must_be_0_or_1_or_3_to_7 refused ();
  end
endmodule

// A right shift that rounds, in every way of hw_models.rounding. Pure.
//
// Real meaning: rounded ~ value / 2**shift, the direction or the tie decided by ROUNDING.
//
// Integer formula: value / 2**shift is the integer floor(..) and a fraction in 0 <= f < 1:
//    0 floor              floor                        6 half_away         up if f > 1/2, or f = 1/2
//    1 ceil               up if f > 0                                      and value >= 0
//    2 toward_zero        up if f > 0 and value < 0    7 half_toward_zero  as 6, but value < 0
//    3 away               up if f > 0 and value >= 0   8 half_even         as 6, but floor is odd
//    4 half_up            up if f >= 1/2               9 half_odd          as 6, but floor is even
//    5 half_down          up if f > 1/2               10 jam               floor | 1, if shift > 0
//                                                     11 stochastic        up if f + r >= 1
// "up" is floor + 1. r is the draw as a fraction: (draw >> (2**SHIFT_W - shift)) / 2**shift. Bits of
// the draw below the fraction's last one meet zeros and cannot carry, so they need not be cut off.
//
// Corners: a shift of 0 changes nothing, in any way. W >= 2 bits hold every result, because 1 is
// added only after a shift by 1 or more.
module round_shift #(
    parameter int W        = 32,
    parameter int SHIFT_W  = 6,
    parameter int ROUNDING = 0
) (
    input  logic signed [           W-1:0] value,
    input  logic        [     SHIFT_W-1:0] shift,
    input  logic        [(1<<SHIFT_W)-1:0] draw,
    output logic signed [           W-1:0] rounded
);
  localparam int F_W = 1 << SHIFT_W;  // a shift of at most F_W - 1 loses no bit of the fraction

  wire signed [W+F_W-1:0] exact = $signed({value, {F_W{1'b0}}}) >>> shift;
  wire [W-1:0] integer_part = exact[W+F_W-1:F_W];
  wire [F_W-1:0] fraction = exact[F_W-1:0];
  wire negative = value[W-1];
  wire inexact = |fraction;
  wire half = fraction[F_W-1];  // 1/2 or more
  wire above = half && |fraction[F_W-2:0];
  wire odd = integer_part[0];

  logic up;
  always_comb
    case (ROUNDING)
      1: up = inexact;
      2: up = inexact && negative;
      3: up = inexact && !negative;
      4: up = half;
      5: up = above;
      6: up = above || (half && !negative);
      7: up = above || (half && negative);
      8: up = above || (half && odd);
      9: up = above || (half && !odd);
      11: up = fraction > ~draw;
      0, 10: up = 1'b0;
      default: up = 1'bx;  // refused below
    endcase
  wire jam = ROUNDING == 10 && shift != 0;
  assign rounded = (integer_part + {{(W - 1) {1'b0}}, up}) | {{(W - 1) {1'b0}}, jam};

  if (ROUNDING < 0 || ROUNDING > 11) begin : g_refused
    ROUNDING_must_be_0_to_11 refused ();
  end
endmodule

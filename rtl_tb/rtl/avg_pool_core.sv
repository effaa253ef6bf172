// The mean of one window from its sum: a division that rounds as ROUNDING says. Pure.
//
// Integer formula, count > 0, all exact:
//   q = floor(total / count), rest = total - q * count;  y = saturate(q + up) into the output
//   up, by the number of the rounding in hw_models.rounding.ROUNDINGS:
//     0 floor: never             1 ceil: rest > 0
//     2 toward_zero: rest > 0 and total < 0     3 away: rest > 0 and total > 0
//     4..9 half_*: 2 * rest > count, or 2 * rest == count and the tie goes up:
//     4 half_up: yes  5 half_down: no  6 half_away: total > 0  7 half_toward_zero: total < 0
//     8 half_even: q odd  9 half_odd: q even
//
// Corners: OUT_NARROW leaves the most negative code of a signed output unused. Division by zero
// cannot happen: a window has at least one tap. The divider is combinational: SUM_W subtractions
// deep in hardware.
module avg_pool_core #(
    parameter int OUT_W      = 8,
    parameter int OUT_SIGNED = 1,
    parameter int OUT_NARROW = 0,
    parameter int SUM_W      = 24,
    parameter int COUNT_W    = 16,
    parameter int ROUNDING   = 6
) (
    input  logic signed [  SUM_W-1:0] total,
    input  logic        [COUNT_W-1:0] count,
    output logic        [  OUT_W-1:0] y
);
  // One bit more than total or count needs: 2 * rest, q + 1 and -total fit. The bounds fit too.
  localparam int WIDE = SUM_W > COUNT_W ? SUM_W : COUNT_W;
  localparam int D_W = (WIDE > OUT_W ? WIDE : OUT_W) + 2;
  localparam logic signed [D_W-1:0] ONE = D_W'(1);
  localparam logic signed [D_W-1:0] HIGH = (ONE <<< (OUT_W - (OUT_SIGNED != 0 ? 1 : 0))) - ONE;
  localparam logic signed [D_W-1:0] LOW =
      OUT_SIGNED == 0 ? '0 : (OUT_NARROW != 0 ? -HIGH : -HIGH - ONE);

  wire signed [D_W-1:0] dividend = D_W'(total);
  wire signed [D_W-1:0] divisor = {{(D_W - COUNT_W) {1'b0}}, count};
  wire signed [D_W-1:0] toward_zero = dividend / divisor;
  wire signed [D_W-1:0] remainder = dividend % divisor;  // has the sign of the dividend
  wire below = remainder < 0;
  wire signed [D_W-1:0] q = below ? toward_zero - ONE : toward_zero;
  wire signed [D_W-1:0] rest = below ? remainder + divisor : remainder;
  wire signed [D_W-1:0] twice = rest <<< 1;
  wire inexact = rest != 0;
  wire negative = total < 0;
  wire positive = total > 0;
  wire above_half = twice > divisor;
  wire half = twice == divisor;
  wire odd = q[0];

  logic up;
  always_comb
    case (ROUNDING)
      0: up = 1'b0;
      1: up = inexact;
      2: up = inexact && negative;
      3: up = inexact && positive;
      4: up = above_half || half;
      5: up = above_half;
      6: up = above_half || (half && positive);
      7: up = above_half || (half && negative);
      8: up = above_half || (half && odd);
      9: up = above_half || (half && !odd);
      default: up = 1'bx;  // refused below
    endcase
  wire signed [D_W-1:0] rounded = q + (up ? ONE : '0);
  assign y = OUT_W'(rounded > HIGH ? HIGH : rounded < LOW ? LOW : rounded);

  if (ROUNDING < 0 || ROUNDING > 9) begin : g_refused
    ROUNDING_must_be_0_to_9 refused ();
  end
endmodule

// A quotient of integers that are not negative, digit by digit. Pure.
//
// Integer formula: quotient = floor(a / b), rest = a - b * quotient.
//
// Corners: b > 0 and a < b * 2**DIGITS, so that DIGITS bits hold the quotient; what comes out
// otherwise means nothing. Each digit compares what is left, and the next bit of a, with b, and
// subtracts: DIGITS subtractors deep, and no multiplier.
module quotient #(
    parameter int A_W    = 32,
    parameter int B_W    = 16,
    parameter int DIGITS = 16
) (
    input  logic [   A_W-1:0] a,
    input  logic [   B_W-1:0] b,
    output logic [DIGITS-1:0] quotient,
    output logic [   B_W-1:0] rest
);
  // At most B_W bits of a lie above those of the digits: with them it begins.
  localparam int W = A_W > B_W + DIGITS ? A_W : B_W + DIGITS;
  wire [W-1:0] wide = W'(a);
  wire [B_W:0] upper = (B_W + 1)'(wide[W-1:DIGITS]);
  logic [B_W:0] left;

  always_comb begin
    left = upper;
    quotient = '0;
    for (int place = DIGITS - 1; place >= 0; place--) begin
      left = (left << 1) | (B_W + 1)'(wide[place]);
      if (left >= {1'b0, b}) begin
        left = left - {1'b0, b};
        quotient[place] = 1'b1;
      end
    end
  end
  assign rest = left[B_W-1:0];
  wire unused = &{1'b0, left[B_W]};
endmodule

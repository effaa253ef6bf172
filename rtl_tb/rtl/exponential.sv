// I-BERT's exponential of a number at or below 0. Pure.
//
// Real meaning: value ~ one * exp(scale * x); ln2, b and one are the constants of one scale.
//
// Integer formula: v = max(floor(x * 2**left_shift), -30 * ln2), z = floor(-v / ln2),
//   r = v + z * ln2, which is less than ln2 below 0;  value = floor(((r + b) * r + one) / 2**z)
//
// Corners: x <= 0; left_shift is -27 .. 15, below 0 a shift right; 1 <= ln2 <= b and
// b * ln2 <= one, which keeps value between 0 and one. r is the division's rest with its sign
// changed. Widths: -v is at most 30 * 8191; (r + b) * r is at least -2**28.
module exponential (
    input  logic signed [16:0] x,
    input  logic signed [ 5:0] left_shift,
    input  logic        [12:0] ln2,
    input  logic        [14:0] b,
    input  logic        [27:0] one,
    output logic signed [29:0] value
);
  wire [5:0] places = left_shift < 0 ? -left_shift : left_shift;
  wire signed [31:0] wide = 32'(x);
  wire signed [31:0] lifted = left_shift < 0 ? wide >>> places : wide <<< places;
  wire signed [18:0] lowest = (19'(ln2) << 1) - (19'(ln2) << 5);  // -30 * ln2
  wire signed [18:0] v = lifted < 32'(lowest) ? lowest : lifted[18:0];
  wire [18:0] distance = -v;
  wire [4:0] z;
  wire [12:0] rest;

  quotient #(
      .A_W(18),
      .B_W(13),
      .DIGITS(5)
  ) octaves (
      .a(distance[17:0]),
      .b(ln2),
      .quotient(z),
      .rest(rest)
  );

  wire signed [13:0] r = -$signed({1'b0, rest});
  wire signed [15:0] sum = 16'(r) + $signed({1'b0, b});
  wire signed [29:0] product = sum * r;
  wire signed [29:0] polynomial = product + $signed({2'b0, one});
  wire unused = &{1'b0, distance[18]};
  assign value = polynomial >>> z;
endmodule

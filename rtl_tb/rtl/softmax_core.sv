// A probability from a row's exponential and the quotient of its sum. Pure.
//
// Integer formula: y = min(low + floor((term * factor + nudge) / 2**(32 - OUT_W)), high), where
//   nudge = 2**(31 - OUT_W) if HALF_UP, else 0
//
// Corners: term is at most the sum that factor = floor(2**32 / sum) was made of, so that their
// product is at most 2**32: a row whose sum is one term reaches it and is clamped. OUT_W is 1 .. 16.
module softmax_core #(
    parameter int OUT_W   = 8,
    parameter int HALF_UP = 1
) (
    input  logic        [   15:0] term,
    input  logic        [   32:0] factor,
    input  logic signed [OUT_W:0] low,
    input  logic signed [OUT_W:0] high,
    output logic        [OUT_W-1:0] y
);
  localparam int PLACES = 32 - OUT_W;
  localparam logic [48:0] NUDGE = HALF_UP != 0 ? 49'b1 << (PLACES - 1) : '0;
  wire [48:0] product = 49'(term) * 49'(factor);
  wire [48:0] nudged = product + NUDGE;
  wire signed [49-PLACES:0] share = $signed({1'b0, nudged[48:PLACES]});
  wire unused = &{1'b0, nudged[PLACES-1:0]};

  code_clamp #(
      .W(50 - PLACES),
      .OUT_W(OUT_W)
  ) clamp (
      .value(share),
      .zero_point(low),
      .low(low),
      .high(high),
      .y(y)
  );
endmodule

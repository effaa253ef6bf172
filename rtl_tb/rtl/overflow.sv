// The overflow rule of a register: an exact sum enters it. Pure.
//
// Integer formula: y = value, if it lies in LOW .. HIGH; else
//   OVERFLOW 0 (wrap):               the low OUT_W bits, two's complement
//   OVERFLOW 1 (saturate):           the nearer end of -2**(OUT_W-1) .. 2**(OUT_W-1) - 1
//   OVERFLOW 2 (saturate_symmetric): the nearer end of -(2**(OUT_W-1) - 1) .. 2**(OUT_W-1) - 1
//
// Corners: with rule 2, -2**(OUT_W-1) is an overflow even where it needs no more bits.
module overflow #(
    parameter int IN_W     = 33,
    parameter int OUT_W    = 32,
    parameter int OVERFLOW = 0
) (
    input  logic signed [ IN_W-1:0] value,
    output logic signed [OUT_W-1:0] y
);
  localparam int W = IN_W > OUT_W ? IN_W : OUT_W;
  localparam logic signed [OUT_W-1:0] HIGH = {1'b0, {(OUT_W - 1) {1'b1}}};
  localparam logic signed [OUT_W-1:0] LOW =
      {1'b1, {(OUT_W - 1) {1'b0}}} | OUT_W'(OVERFLOW == 2 ? 1 : 0);

  wire signed [W-1:0] wide = W'(value);
  wire above = OVERFLOW != 0 && wide > W'(HIGH);
  wire below = OVERFLOW != 0 && wide < W'(LOW);
  assign y = above ? HIGH : below ? LOW : wide[OUT_W-1:0];

  if (OVERFLOW < 0 || OVERFLOW > 2) begin : g_refused
    OVERFLOW_must_be_0_to_2 refused ();
  end
endmodule

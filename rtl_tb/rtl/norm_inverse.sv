// The inverse of a square root, a digit each cycle.
//
// Real meaning: reciprocal / 2**(2 * ROOT_BITS - 1 - places) ~ 1 / sqrt(value).
//
// Integer formula, of 1 <= value < 2**63, with norm_window.sv's window and places:
//   root = floor(sqrt(window));  reciprocal = floor(2**(2 * ROOT_BITS - 1) / root)
//
// Corners: the root has ROOT_BITS bits, the highest of them 1, so the reciprocal has one more. A start
// while digits are made begins anew. Reset ends what is under way; results are not known then.
//
// Latency: done is high from the cycle 2 * ROOT_BITS + 2 after start on, until the next start: ROOT_BITS
// digits of the root, ROOT_BITS + 1 of the quotient.
module norm_inverse #(
    parameter int ROOT_BITS = 16
) (
    input  logic                      clk,
    input  logic                      rst,
    input  logic                      start,
    input  logic        [       62:0] value,
    output logic                      done,
    output logic        [ROOT_BITS:0] reciprocal,
    output logic signed [        6:0] places
);
  localparam int STEP_W = $clog2(2 * ROOT_BITS + 2);
  localparam logic [STEP_W-1:0] DIVIDES = STEP_W'(ROOT_BITS);  // the first step of the quotient
  localparam logic [STEP_W-1:0] ENDS = STEP_W'(2 * ROOT_BITS + 1);

  logic [STEP_W-1:0] step;
  logic [2*ROOT_BITS-1:0] digits, window;  // of the window that are still to come
  logic [ROOT_BITS-1:0] root, root_next;
  logic [ROOT_BITS:0] rest, rest_next;
  logic [ROOT_BITS-1:0] left, left_next;
  logic signed [6:0] moved;
  logic digit;

  norm_window #(
      .ROOT_BITS(ROOT_BITS)
  ) normalized (
      .value(value),
      .places(moved),
      .window(window)
  );

  root_digit #(
      .ROOT_BITS(ROOT_BITS)
  ) rooted (
      .root(root),
      .rest(rest),
      .bits(digits[2*ROOT_BITS-1-:2]),
      .root_next(root_next),
      .rest_next(rest_next)
  );

  quotient_digit #(
      .W(ROOT_BITS)
  ) divided (
      .rest(left),
      .next_bit(1'b0),
      .divisor(root),
      .digit(digit),
      .rest_next(left_next)
  );

  assign done = step == ENDS;

  always_ff @(posedge clk) begin
    if (start) begin
      places <= moved;
      digits <= window;
      root <= '0;
      rest <= '0;
      // The bits of 2**(2 * ROOT_BITS - 1) up to here are a number below every root.
      left <= {2'b01, {(ROOT_BITS - 2) {1'b0}}};
      reciprocal <= '0;
      step <= '0;
    end else if (!done) begin
      step <= step + STEP_W'(1);
      if (step < DIVIDES) begin
        digits <= digits << 2;
        root <= root_next;
        rest <= rest_next;
      end else begin
        left <= left_next;
        reciprocal <= {reciprocal[ROOT_BITS-1:0], digit};
      end
    end
    if (rst) step <= ENDS;
  end
endmodule

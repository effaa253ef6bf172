// What follows the product of a rescaling: the shifts and their roundings. Pure.
//
// Integer formula, into a value of V_W bits that is always exact:
//   SCHEME 0 (double): b = min((product + 2**(n-1)) >> n, 2**31 - 1), n = MUL_W - 1
//                      value = b / 2**max(shift - n, 0), to nearest, ties away from zero
//   SCHEME 1 (single): value = (product + 2**(shift-1)) >> shift; the product itself at shift 0
//   SCHEME 2 (power of two): value = product / 2**shift, rounded as ROUNDING says (round_shift.sv);
//                      a negative shift is the exact left shift
//   SCHEME 3 (double, half up):   as 0, but ties of the second rounding go up
//   SCHEME 4 (converter):         as 1, but ties go away from zero
//   SCHEME 5 (TOSA, double):      as 1, with 2**30 more before a shift of 32 or more, or 2**30 less
//                      where what was multiplied is negative
//   SCHEME 6 (reduced):           as 1, but the shift is 16 less
//   SCHEME 7 (multiply-add-shift): value = product / 2**shift, rounded as ROUNDING says
//
// Corners: gemmlowp divides by 2**n with truncation and a nudge that depends on the sign, which is
// half up for either. Only -2**31 * -2**n gives b = 2**31, which saturates. Shifts: 0 .. MUL_W + 30
// (SCHEMEs 0, 3), -62 .. 62 (2), 16 .. 62 (6), 0 .. 62 (others). The draw matters to ROUNDING 11 of
// SCHEMEs 2 and 7 alone, negative (the sign of what was multiplied) to SCHEME 5.
//
// V_W: 32 (SCHEMEs 0, 3), P_W + 62 (2), P_W (others).
module rescale_round #(
    parameter int P_W      = 64,
    parameter int MUL_W    = 32,
    parameter int SCHEME   = 0,
    parameter int ROUNDING = 0,
    parameter int V_W      = SCHEME == 0 || SCHEME == 3 ? 32 : SCHEME == 2 ? P_W + 62 : P_W
) (
    input  logic signed [P_W-1:0] product,
    input  logic                  negative,
    input  logic signed [    6:0] shift,
    input  logic        [   63:0] draw,
    output logic signed [V_W-1:0] value
);
  if (SCHEME == 0 || SCHEME == 3) begin : g_double
    localparam int N = MUL_W - 1;
    localparam logic signed [6:0] N7 = 7'(N);
    wire [P_W-1:0] nudged = product + (P_W'(1) << (N - 1));
    wire [32:0] quotient = nudged[P_W-1:N];
    wire [31:0] b = quotient[32:31] == 2'b01 ? 32'h7fffffff : quotient[31:0];
    wire [6:0] right = shift > N7 ? shift - N7 : '0;
    wire unused = &{1'b0, nudged[N-1:0], right[6:5], draw, negative};

    round_shift #(
        .W(32),
        .SHIFT_W(5),
        .ROUNDING(SCHEME == 3 ? 4 : 6)
    ) second (
        .value(b),
        .shift(right[4:0]),
        .draw(32'b0),
        .rounded(value)
    );
  end else if (SCHEME == 1 || SCHEME == 4) begin : g_single
    wire unused = &{1'b0, shift[6], draw, negative};

    round_shift #(
        .W(P_W),
        .SHIFT_W(6),
        .ROUNDING(SCHEME == 4 ? 6 : 4)
    ) only (
        .value(product),
        .shift(shift[5:0]),
        .draw(64'b0),
        .rounded(value)
    );
  end else if (SCHEME == 5) begin : g_tosa_double
    localparam logic signed [P_W:0] EXTRA = (P_W + 1)'(1) <<< 30;
    wire signed [P_W:0] wide = (P_W + 1)'(product);
    wire signed [P_W:0] nudge = !shift[5] ? '0 : negative ? -EXTRA : EXTRA;
    wire signed [P_W:0] rounded;
    wire unused = &{1'b0, shift[6], draw, rounded[P_W]};

    round_shift #(
        .W(P_W + 1),
        .SHIFT_W(6),
        .ROUNDING(4)
    ) only (
        .value(wide + nudge),
        .shift(shift[5:0]),
        .draw(64'b0),
        .rounded(rounded)
    );
    assign value = rounded[P_W-1:0];
  end else if (SCHEME == 6) begin : g_reduced
    wire [6:0] less = shift - 7'd16;
    wire unused = &{1'b0, less[6], draw, negative};

    round_shift #(
        .W(P_W),
        .SHIFT_W(6),
        .ROUNDING(4)
    ) only (
        .value(product),
        .shift(less[5:0]),
        .draw(64'b0),
        .rounded(value)
    );
  end else if (SCHEME == 7) begin : g_multiply_add
    wire unused = &{1'b0, shift[6], negative};

    round_shift #(
        .W(P_W),
        .SHIFT_W(6),
        .ROUNDING(ROUNDING)
    ) only (
        .value(product),
        .shift(shift[5:0]),
        .draw(draw),
        .rounded(value)
    );
  end else if (SCHEME == 2) begin : g_power_of_two
    wire signed [P_W-1:0] rounded;
    wire [6:0] left = -shift;
    wire unused = negative;

    round_shift #(
        .W(P_W),
        .SHIFT_W(6),
        .ROUNDING(ROUNDING)
    ) right (
        .value(product),
        .shift(shift[5:0]),
        .draw(draw),
        .rounded(rounded)
    );
    assign value = shift < 0 ? V_W'(product) <<< left : V_W'(rounded);
  end else begin : g_refused
    SCHEME_must_be_0_to_7 refused ();
  end
endmodule

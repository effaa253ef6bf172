// A function of one code by integer arithmetic, before its rescaling. Pure.
//
// Integer formula, with c = code - origin:
//   KIND 0 (exp):        value = e(min(c, 0)), see exponential.sv
//   KIND 1 (sigmoid):    value = gate(c), see exponential_gate.sv
//   KIND 2 (SiLU):       value = c * gate(c)
//   KIND 3 (GELU):       see gelu_curve.sv
//   KIND 4 (1/x):        see newton_inverse.sv
//   KIND 5 (1/sqrt(x)):  see newton_root.sv
//
// Corners: IN_W is at most 16 and origin a code of the input, so that c fits 17 bits and its
// magnitude 16.
//
// numbers, least significant first: KIND 0: left_shift 6, ln2 13, b 15, one 28; KIND 1, 2: these and
// drop 4; KIND 3: left_shift 6, knee 15, one 29, drop 4; KIND 4, 5: multiplier 16, right_shift 6.
module integer_function_core #(
    parameter int IN_W      = 8,
    parameter int IN_SIGNED = 1,
    parameter int KIND      = 0,
    parameter int NUMBERS_W = KIND == 0 ? 62 : KIND < 3 ? 66 : KIND == 3 ? 54 : 22,
    parameter int V_W       = KIND < 4 ? 32 : 42
) (
    input  logic        [     IN_W-1:0] code,
    input  logic signed [       IN_W:0] origin,
    input  logic        [NUMBERS_W-1:0] numbers,
    output logic signed [      V_W-1:0] value
);
  wire signed [IN_W:0] wide = {IN_SIGNED != 0 && code[IN_W-1], code};
  wire signed [16:0] c = 17'(wide) - 17'(origin);

  if (KIND == 0) begin : g_exp
    wire signed [29:0] narrow;

    exponential exp (
        .x(c > 0 ? '0 : c),
        .left_shift(numbers[5:0]),
        .ln2(numbers[18:6]),
        .b(numbers[33:19]),
        .one(numbers[61:34]),
        .value(narrow)
    );
    assign value = 32'(narrow);
  end else if (KIND == 1 || KIND == 2) begin : g_gate
    wire [15:0] gate;

    exponential_gate sigmoid (
        .c(c),
        .left_shift(numbers[5:0]),
        .ln2(numbers[18:6]),
        .b(numbers[33:19]),
        .one(numbers[61:34]),
        .drop(numbers[65:62]),
        .gate(gate)
    );
    if (KIND == 1) begin : g_sigmoid
      assign value = 32'(gate);
    end else begin : g_silu
      assign value = 32'(c) * 32'(gate);
    end
  end else if (KIND == 3) begin : g_gelu
    gelu_curve gelu (
        .left_shift(numbers[5:0]),
        .knee(numbers[20:6]),
        .one(numbers[49:21]),
        .drop(numbers[53:50]),
        .*
    );
  end else if (KIND == 4) begin : g_inverse
    newton_inverse inverse (
        .multiplier(numbers[15:0]),
        .right_shift(numbers[21:16]),
        .*
    );
  end else if (KIND == 5) begin : g_root
    newton_root root (
        .multiplier(numbers[15:0]),
        .right_shift(numbers[21:16]),
        .*
    );
  end else begin : g_refused
    KIND_must_be_0_to_5 refused ();
  end
endmodule

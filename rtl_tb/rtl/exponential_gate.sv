// A sigmoid by I-BERT's exponential: 2**15 / (1 + exp(-c)). Pure.
//
// Integer formula: term = floor(e(-abs(c)) / 2**drop), unit = floor(one / 2**drop),
//   gate = floor(unit * 2**15 / (unit + term));  of a c below 0 it is 2**15 - gate.
//   e is that of exponential.sv.
//
// Corners: drop leaves `one` 16 bits, or is 0. unit > 0. gate is 0 .. 2**15: it takes 16 bits.
module exponential_gate (
    input  logic signed [16:0] c,
    input  logic signed [ 5:0] left_shift,
    input  logic        [12:0] ln2,
    input  logic        [14:0] b,
    input  logic        [27:0] one,
    input  logic        [ 3:0] drop,
    output logic        [15:0] gate
);
  wire negative = c < 0;
  wire signed [29:0] value;

  exponential exp (
      .x(negative ? c : -c),
      .*
  );

  wire [29:0] term = value >> drop;
  wire [27:0] unit = one >> drop;
  wire [16:0] whole = {1'b0, unit[15:0]} + {1'b0, term[15:0]};
  wire [15:0] quotient;
  wire [16:0] rest;

  quotient #(
      .A_W(31),
      .B_W(17),
      .DIGITS(16)
  ) divide (
      .a({unit[15:0], 15'b0}),
      .b(whole),
      .quotient(quotient),
      .rest(rest)
  );

  wire unused = &{1'b0, term[29:16], unit[27:16], rest};
  assign gate = negative ? 16'h8000 - quotient : quotient;
endmodule

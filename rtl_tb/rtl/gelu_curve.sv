// I-BERT's GELU before its rescaling: c * (1 + erf(c)). Pure.
//
// Integer formula: q = min(floor(abs(c) * 2**left_shift), knee), erf = one - (knee - q)**2 with the
//   sign of c;  value = c * floor((one + erf) / 2**drop)
//
// Corners: left_shift is -27 .. 15, below 0 a shift right; knee**2 <= one < 2**29; drop leaves
// 2 * one 15 bits, or is 0, so that the gate takes 16 bits and value 32.
module gelu_curve (
    input  logic signed [16:0] c,
    input  logic signed [ 5:0] left_shift,
    input  logic        [14:0] knee,
    input  logic        [28:0] one,
    input  logic        [ 3:0] drop,
    output logic signed [31:0] value
);
  wire negative = c < 0;
  wire [15:0] size = negative ? 16'(-c) : c[15:0];
  wire [5:0] places = left_shift < 0 ? -left_shift : left_shift;
  wire [30:0] lifted = left_shift < 0 ? 31'(size) >> places : 31'(size) << places;
  wire [14:0] rest = lifted > 31'(knee) ? '0 : knee - lifted[14:0];
  wire [29:0] square = 30'(rest) * 30'(rest);
  wire [30:0] erf = {2'b0, one} - {1'b0, square};
  wire [30:0] sum = negative ? {2'b0, one} - erf : {2'b0, one} + erf;
  wire [30:0] shifted = sum >> drop;
  wire signed [15:0] gate = shifted[15:0];
  wire unused = &{1'b0, shifted[30:16]};
  assign value = 32'(c) * 32'(gate);
endmodule

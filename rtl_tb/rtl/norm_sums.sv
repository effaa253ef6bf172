// What a code adds to the sums of its row. Pure.
//
// Integer formula: c = x - x_zero_point;  total_next = total + c, or 0 if CENTRED = 0;
//   squares_next = squares + c * c;  total and squares count as 0 at the row's first code.
//
// Width: those of hw_models.integer.norms, which says what a row must be: 32 bits with a sign, and 62.
module norm_sums #(
    parameter int X_W      = 8,
    parameter int X_SIGNED = 1,
    parameter int ZX_W     = 9,
    parameter int CENTRED  = 1,
    localparam int C_W     = (X_W + 1 > ZX_W ? X_W + 1 : ZX_W) + 1
) (
    input  logic                   first,
    input  logic        [ X_W-1:0] x,
    input  logic signed [ZX_W-1:0] x_zero_point,
    input  logic signed [    31:0] total,
    input  logic        [    61:0] squares,
    output logic signed [ C_W-1:0] c,
    output logic signed [    31:0] total_next,
    output logic        [    61:0] squares_next
);
  wire signed [X_W:0] code = {X_SIGNED != 0 && x[X_W-1], x};
  wire signed [2*C_W-1:0] square = (2 * C_W)'(c) * (2 * C_W)'(c);

  assign c = C_W'(code) - C_W'(x_zero_point);
  assign total_next = CENTRED == 0 ? '0 : (first ? '0 : total) + 32'(c);
  assign squares_next = (first ? '0 : squares) + 62'(square);
endmodule

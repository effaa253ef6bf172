// The product of two codes, before its rescaling. Pure.
//
// Integer formula: product = (a - a_zero_point) * (b - b_zero_point), exactly.
//
// Corners: hw_models refuses products outside of 64 bits; ACC_W holds the others, and what is wider
// wraps.
module mul_core #(
    parameter int IN_W      = 8,
    parameter int IN_SIGNED = 1,
    parameter int ZX_W      = 9,
    parameter int ACC_W     = 32
) (
    input  logic        [ IN_W-1:0] a,
    input  logic        [ IN_W-1:0] b,
    input  logic signed [ ZX_W-1:0] a_zero_point,
    input  logic signed [ ZX_W-1:0] b_zero_point,
    output logic signed [ACC_W-1:0] product
);
  localparam int X_W = (IN_W + 1 > ZX_W ? IN_W + 1 : ZX_W) + 1;
  localparam int W = 2 * X_W > ACC_W ? 2 * X_W : ACC_W;
  wire signed [IN_W:0] wide_a = {IN_SIGNED != 0 && a[IN_W-1], a};
  wire signed [IN_W:0] wide_b = {IN_SIGNED != 0 && b[IN_W-1], b};
  wire signed [X_W-1:0] from_a = X_W'(wide_a) - X_W'(a_zero_point);
  wire signed [X_W-1:0] from_b = X_W'(wide_b) - X_W'(b_zero_point);
  wire signed [W-1:0] exact = W'(from_a) * W'(from_b);
  assign product = exact[ACC_W-1:0];

  if (W > ACC_W) begin : g_above
    wire unused = &{1'b0, exact[W-1:ACC_W]};
  end
endmodule

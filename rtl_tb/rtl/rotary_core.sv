// The turn of one pair of codes, before its rescaling. Pure.
//
// Integer formula: with A = a - x_zero_point and B = b - x_zero_point, exactly,
//   first = A * cos - B * sin,  second = B * cos + A * sin
//
// Corners: tables and codes keep both sums within ACC_W bits (hw_models refuses others); what is
// wider wraps.
module rotary_core #(
    parameter int IN_W      = 8,
    parameter int IN_SIGNED = 1,
    parameter int ZX_W      = 9,
    parameter int TURN_W    = 16,
    parameter int ACC_W     = 32
) (
    input  logic        [  IN_W-1:0] a,
    input  logic        [  IN_W-1:0] b,
    input  logic signed [TURN_W-1:0] cos,
    input  logic signed [TURN_W-1:0] sin,
    input  logic signed [  ZX_W-1:0] x_zero_point,
    output logic signed [ ACC_W-1:0] first,
    output logic signed [ ACC_W-1:0] second
);
  localparam int X_W = (IN_W + 1 > ZX_W ? IN_W + 1 : ZX_W) + 1;
  localparam int P_W = X_W + TURN_W;
  localparam int W = P_W + 1 > ACC_W ? P_W + 1 : ACC_W;
  wire signed [IN_W:0] wide_a = {IN_SIGNED != 0 && a[IN_W-1], a};
  wire signed [IN_W:0] wide_b = {IN_SIGNED != 0 && b[IN_W-1], b};
  wire signed [X_W-1:0] from_a = X_W'(wide_a) - X_W'(x_zero_point);
  wire signed [X_W-1:0] from_b = X_W'(wide_b) - X_W'(x_zero_point);
  wire signed [P_W-1:0] a_cos = from_a * cos;
  wire signed [P_W-1:0] b_sin = from_b * sin;
  wire signed [P_W-1:0] b_cos = from_b * cos;
  wire signed [P_W-1:0] a_sin = from_a * sin;
  wire signed [W-1:0] difference = W'(a_cos) - W'(b_sin);
  wire signed [W-1:0] sum = W'(b_cos) + W'(a_sin);
  assign first  = difference[ACC_W-1:0];
  assign second = sum[ACC_W-1:0];

  if (W > ACC_W) begin : g_above
    wire unused = &{1'b0, difference[W-1:ACC_W], sum[W-1:ACC_W]};
  end
endmodule

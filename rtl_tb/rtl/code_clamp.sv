// The end of every rescaling: the zero point enters, and the code is clamped. Pure.
//
// Integer formula: y = min(max(value + zero_point, low), high), in exact integers.
//
// Corners: zero_point, low and high have OUT_W + 1 bits, signed, so that they hold codes of signed
// and of unsigned formats alike; low <= high. The value is first brought into OUT_W + 2 bits, which
// changes no result: from 2**(OUT_W + 1) - 1 on, the sum is 2**OUT_W - 1 or more whatever the zero
// point, so high comes out; from -2**(OUT_W + 1) down, it is below -2**OUT_W, so low comes out.
module code_clamp #(
    parameter int W     = 32,
    parameter int OUT_W = 8
) (
    input  logic signed [    W-1:0] value,
    input  logic signed [  OUT_W:0] zero_point,
    input  logic signed [  OUT_W:0] low,
    input  logic signed [  OUT_W:0] high,
    output logic        [OUT_W-1:0] y
);
  localparam int N_W = OUT_W + 2;
  logic signed [N_W-1:0] near;

  if (W > N_W) begin : g_wide
    wire [W-N_W:0] top = value[W-1:N_W-1];
    wire fits = &top || !(|top);
    assign near = fits ? value[N_W-1:0] : {value[W-1], {(N_W - 1) {!value[W-1]}}};
  end else begin : g_narrow
    assign near = N_W'(value);
  end

  wire signed [N_W:0] total = (N_W + 1)'(near) + (N_W + 1)'(zero_point);
  wire above = total > (N_W + 1)'(high);
  wire below = total < (N_W + 1)'(low);
  assign y = above ? high[OUT_W-1:0] : below ? low[OUT_W-1:0] : total[OUT_W-1:0];
endmodule

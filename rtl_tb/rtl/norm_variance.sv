// The square of a row's length times its variance, from its sums. Pure.
//
// Integer formula, in exact integers:
//   variance = max((count * squares - total**2) * 2**GUARD + epsilon, 2**GUARD)
//
// Corners: the sums are those of a row that hw_models.integer.norms takes: count * squares is below
// 2**(62 - GUARD) and at least total**2. epsilon has 62 bits. So 63 bits hold everything.
module norm_variance #(
    parameter int COUNT_W = 9,
    parameter int GUARD   = 6
) (
    input  logic        [COUNT_W-1:0] count,
    input  logic signed [       31:0] total,
    input  logic        [       61:0] squares,
    input  logic        [       61:0] epsilon,
    output logic        [       62:0] variance
);
  localparam logic [62:0] LEAST = 63'd1 << GUARD;
  wire signed [62:0] mean = 63'(total) * 63'(total);
  wire [62:0] exact = 63'(count) * 63'(squares) - mean;
  wire [62:0] sum = (exact << GUARD) + {1'b0, epsilon};

  assign variance = sum < LEAST ? LEAST : sum;
endmodule

// bias_add whose lower half is added on a clock of twice the rate; its results leave on a third clock,
// which is the first one by another name.
module clocks (
    input clk, fast, out_clk, rst,
    input in_valid, input [19:0] acc, bias,
    output logic out_valid, output logic [19:0] sum
);
  logic valid, carry;
  logic [9:0] low;
  logic [19:0] a, b;
  always_ff @(posedge clk) begin
    valid <= in_valid && !rst;
    a <= acc;
    b <= bias;
  end
  always_ff @(posedge fast) {carry, low} <= {1'b0, a[9:0]} + {1'b0, b[9:0]};
  always_ff @(posedge out_clk) begin
    out_valid <= valid && !rst;
    sum <= {a[19:10] + b[19:10] + {9'd0, carry}, low};
  end
endmodule

// A saturating sum of 20 bits, a cycle after its operands; `spare` changes nothing: its or is always 1.
module summing #(parameter WRONG = 0) (
    input clk, rst, on, input signed [19:0] acc, bias, output reg signed [19:0] sum
);
  wire signed [20:0] total = acc + bias;
  wire spare = acc[0] & ~acc[0];
  wire fits = total[20] == total[19] || spare;
  always @(posedge clk)
    if (rst) sum <= 20'd0;
    else if (on) sum <= fits || WRONG == 1 ? total[19:0] : {total[20], {19{!total[20]}}};
endmodule

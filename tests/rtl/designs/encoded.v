// bias_add without a clock, of numbers in another encoding: twice acc and one more, and -(bias + 5).
module encoded (odd, debt, sum);
  parameter WRONG = 0;  // 1: forgets the 5
  input signed [20:0] odd;
  input signed [20:0] debt;
  output signed [19:0] sum;
  wire signed [20:0] acc = (odd - 21'sd1) >>> 1;
  wire signed [20:0] bias = -debt - (WRONG != 0 ? 21'sd0 : 21'sd5);
  wire signed [20:0] exact = acc + bias;
  assign sum = exact[19:0];
endmodule

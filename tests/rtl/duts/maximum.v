// The larger of two signed codes, a cycle later. Verilog-1995.
module maximum (clk, a, b, y);
  parameter UNSIGNED = 0;  // 1: compares the bits, which is wrong
  input clk;
  input [7:0] a, b;
  output [7:0] y;
  reg [7:0] y;
  wire larger = UNSIGNED ? a > b : (a ^ 8'h80) > (b ^ 8'h80);
  always @(posedge clk) y <= larger ? a : b;
endmodule

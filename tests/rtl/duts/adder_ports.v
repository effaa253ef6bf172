// bias_add without a clock edge between operands and sum: two operations, a port for each value.
module adder_ports (clk, acc0, acc1, bias0, bias1, sum0, sum1);
  input clk;
  input [19:0] acc0, acc1, bias0, bias1;
  output [19:0] sum0, sum1;
  assign sum0 = acc0 + bias0;
  assign sum1 = acc1 + bias1;
  wire unused = clk;
endmodule

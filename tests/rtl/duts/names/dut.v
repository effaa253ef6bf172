// A registered addition. Its width is in a file that a macro names, its adder in one that nobody
// names, and what it adds beside is in a memory file.
`include "sub/settings.vh"
`include `WIDTH
`default_nettype none
module dut (
    input wire clk,
    input wire [`BITS-1:0] acc,
    input wire [`BITS-1:0] bias,
    output wire [`BITS-1:0] sum
);
  parameter MEMORY = "mem/more.hex";
  reg [`BITS-1:0] more[0:0];
  initial $readmemh(MEMORY, more);
  reg [`BITS-1:0] less[0:0];
  initial $readmemb("mem/less.bin", less);
  reg [`BITS-1:0] last;
  integer file, found;
  initial begin
    file = $fopen("mem/../mem/last.txt", "r");
    found = $fscanf(file, "%d", last);
  end
  wire [`BITS-1:0] plain;
  stream_bulk_tb adder (.clock(clk), .a(acc), .b(bias), .low(2'd0), .y(plain));
  dut_fifo #(.W(`BITS)) register (.clk(clk), .d(plain + more[0] + less[0] + last + `MORE), .q(sum));
endmodule

module dut_fifo #(parameter W = 1) (input wire clk, input wire [W-1:0] d, output reg [W-1:0] q);
  always @(posedge clk) q <= #1 d;
endmodule

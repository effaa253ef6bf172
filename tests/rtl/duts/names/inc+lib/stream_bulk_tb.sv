// No bench. `low` is wider where it is connected: compilers say so.
`include "sub/settings.vh"
module stream_bulk_tb (
    input wire clock,
    input wire [`BITS-1:0] a,
    input wire [`BITS-1:0] b,
    input wire low,
    output wire [`BITS-1:0] y
);
  assign y = a + b + {{(`BITS - 1){1'b0}}, low};
  dut_gather nothing (.clock(clock));
endmodule
module dut_gather (input wire clock);
endmodule

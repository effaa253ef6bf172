// A memory with one write port and one synchronous read port, as block RAMs have.
//
// read_data is the word at read_address one cycle after `read`, and holds until the next one. What
// a write of the same cycle to the same word gives is not defined: conv_engine.sv writes and reads
// at different times. Reset does not touch the contents.
module conv_memory #(
    parameter int WIDTH     = 8,
    parameter int DEPTH     = 256,
    parameter int ADDRESS_W = 8
) (
    input  logic                 clk,
    input  logic                 write,
    input  logic [ADDRESS_W-1:0] write_address,
    input  logic [    WIDTH-1:0] write_data,
    input  logic                 read,
    input  logic [ADDRESS_W-1:0] read_address,
    output logic [    WIDTH-1:0] read_data
);
  logic [WIDTH-1:0] words[0:DEPTH-1];

  always_ff @(posedge clk) begin
    if (write) words[write_address] <= write_data;
    if (read) read_data <= words[read_address];
  end
endmodule

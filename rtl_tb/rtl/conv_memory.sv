// A memory that conv_engine.sv's beats of one kind fill, with one synchronous read port: as block
// RAMs have it.
//
// While `write` is high, the beat {kind, address, value} (least significant first) writes its value's
// low WIDTH bits at its address, if it is of KIND (conv_pkg.sv).
//
// read_data is the word at read_address one cycle after `read`, and holds until the next one. What
// a write of the same cycle to the same word gives is not defined: conv_engine.sv writes and reads
// at different times. Reset does not touch the contents. Of both addresses, $clog2(DEPTH) bits count.
module conv_memory #(
    parameter logic [2:0] KIND = conv_pkg::ACTIVATION,
    parameter int WIDTH        = 8,
    parameter int DEPTH        = 256,
    parameter int ADDRESS_W    = 24,
    parameter int VALUE_W      = 96,
    localparam int BEAT_W      = 3 + ADDRESS_W + VALUE_W
) (
    input  logic                 clk,
    input  logic                 write,
    input  logic [   BEAT_W-1:0] beat,
    input  logic                 read,
    input  logic [ADDRESS_W-1:0] read_address,
    output logic [    WIDTH-1:0] read_data
);
  localparam int INDEX_W = $clog2(DEPTH);
  logic [WIDTH-1:0] words[0:DEPTH-1];
  wire unused = &{1'b0, beat, read_address};

  always_ff @(posedge clk) begin
    if (write && beat[2:0] == KIND) words[beat[3+:INDEX_W]] <= beat[3+ADDRESS_W+:WIDTH];
    if (read) read_data <= words[read_address[INDEX_W-1:0]];
  end
endmodule

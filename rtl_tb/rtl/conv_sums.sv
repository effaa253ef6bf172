// The sums of conv_engine.sv: activations and weights from their memories through correlation.sv.
//
// `beat` is one of conv_engine.sv's; each memory takes those of its own kind, while `write` is high.
// Tiles of ROWS sums come out in the order of conv_taps.sv. Reads take a cycle, and a tap goes into
// the lanes every cycle unless they wait.
module conv_sums #(
    parameter int ROWS      = 2,
    parameter int X_W       = 8,
    parameter int X_SIGNED  = 1,
    parameter int W_W       = 8,
    parameter int W_SIGNED  = 1,
    parameter int ACC_W     = 32,
    parameter int OVERFLOW  = 0,
    parameter int AT        = 0,
    parameter int EXACT_W   = 32,
    parameter int X_DEPTH   = 4096,
    parameter int W_DEPTH   = 4096,
    parameter int C_DEPTH   = 256,
    parameter int ADDRESS_W = 24,
    parameter int VALUE_W   = 96,
    localparam int BEAT_W   = 3 + ADDRESS_W + VALUE_W
) (
    input  logic                      clk,
    input  logic                      rst,
    input  logic                      start,
    input  logic [conv_pkg::BITS-1:0] registers,
    input  logic                      write,
    input  logic [        BEAT_W-1:0] beat,
    output logic                      m_valid,
    input  logic                      m_ready,
    output logic [    ROWS*ACC_W-1:0] m_sums
);
  logic found, interior, found_last;  // a tap and where it lies
  logic valid, valid_interior, last, ready;  // a tap and what the memories hold there
  logic [ADDRESS_W-1:0] x_address, w_address, tile;
  logic [X_W-1:0] x;
  logic [ROWS*W_W-1:0] weights;
  logic [ROWS*(W_W+1)-1:0] points;
  wire read = !valid || ready;
  wire always_last;
  wire unused = &{1'b0, always_last, registers};

  conv_taps #(
      .ROWS(ROWS),
      .ADDRESS_W(ADDRESS_W)
  ) taps (
      .clk(clk),
      .rst(rst),
      .start(start),
      .registers(registers),
      .valid(found),
      .advance(read),
      .interior(interior),
      .last(found_last),
      .x_address(x_address),
      .w_address(w_address),
      .tile(tile)
  );

  conv_memory #(
      .KIND(conv_pkg::ACTIVATION),
      .WIDTH(X_W),
      .DEPTH(X_DEPTH),
      .ADDRESS_W(ADDRESS_W),
      .VALUE_W(VALUE_W)
  ) activation_memory (
      .clk(clk),
      .write(write),
      .beat(beat),
      .read(read),
      .read_address(x_address),
      .read_data(x)
  );

  conv_memory #(
      .KIND(conv_pkg::WEIGHTS),
      .WIDTH(ROWS * W_W),
      .DEPTH(W_DEPTH),
      .ADDRESS_W(ADDRESS_W),
      .VALUE_W(VALUE_W)
  ) weight_memory (
      .clk(clk),
      .write(write),
      .beat(beat),
      .read(read),
      .read_address(w_address),
      .read_data(weights)
  );

  conv_memory #(
      .KIND(conv_pkg::ZERO_POINTS),
      .WIDTH(ROWS * (W_W + 1)),
      .DEPTH(C_DEPTH),
      .ADDRESS_W(ADDRESS_W),
      .VALUE_W(VALUE_W)
  ) zero_point_memory (
      .clk(clk),
      .write(write),
      .beat(beat),
      .read(read),
      .read_address(tile),
      .read_data(points)
  );

  always_ff @(posedge clk) begin
    if (read) begin
      valid <= found;
      valid_interior <= interior;
      last <= found_last;
    end
    if (rst) valid <= 1'b0;
  end

  correlation #(
      .ROWS(ROWS),
      .COLUMNS(1),
      .X_W(X_W),
      .X_SIGNED(X_SIGNED),
      .W_W(W_W),
      .W_SIGNED(W_SIGNED),
      .ACC_W(ACC_W),
      .OVERFLOW(OVERFLOW),
      .AT(AT),
      .EXACT_W(EXACT_W)
  ) lanes (
      .clk(clk),
      .rst(rst),
      .s_axis_tvalid(valid),
      .s_axis_tready(ready),
      .s_axis_tdata({
        points,
        registers[conv_pkg::X_ZERO_POINT+:X_W+1],
        weights,
        valid_interior ? x : registers[conv_pkg::PAD_VALUE+:X_W]
      }),
      .s_axis_tlast(last),
      .m_axis_tvalid(m_valid),
      .m_axis_tready(m_ready),
      .m_axis_tdata(m_sums),
      .m_axis_tlast(always_last)
  );
endmodule

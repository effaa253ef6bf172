// Sums of a tile, side by side, become sums one after the other, each with its channel's number.
//
// Tiles come in the order of conv_taps.sv: for each output position all tiles of all groups. The
// last tile of a group has outputs modulo ROWS sums that count (or ROWS); the others are dropped.
// m_last goes with the last channel of the layer's last position. `start` (one cycle) begins a
// layer. A tile is taken once its predecessor's last sum goes: one sum per cycle.
module conv_drain #(
    parameter int ROWS      = 2,
    parameter int ACC_W     = 32,
    parameter int ADDRESS_W = 24
) (
    input  logic                      clk,
    input  logic                      rst,
    input  logic                      start,
    input  logic [conv_pkg::BITS-1:0] registers,
    input  logic                      s_valid,
    output logic                      s_ready,
    input  logic [    ROWS*ACC_W-1:0] s_sums,
    output logic                      m_valid,
    input  logic                      m_ready,
    output logic [         ACC_W-1:0] m_sum,
    output logic [     ADDRESS_W-1:0] m_channel,
    output logic                      m_last
);
  localparam int SIZE_W = conv_pkg::SIZE_W;
  wire [SIZE_W-1:0] outputs = registers[conv_pkg::OUTPUTS+:SIZE_W];
  wire [SIZE_W-1:0] groups = registers[conv_pkg::GROUPS+:SIZE_W];
  wire [SIZE_W-1:0] out_h = registers[conv_pkg::OUT_HEIGHT+:SIZE_W];
  wire [SIZE_W-1:0] out_w = registers[conv_pkg::OUT_WIDTH+:SIZE_W];
  wire unused = &{1'b0, registers};

  localparam logic [SIZE_W-1:0] ONE = SIZE_W'(1);

  logic [ROWS*ACC_W-1:0] sums;
  logic [SIZE_W-1:0] oy, ox, group, left, row;  // left: outputs of the group, this one too
  wire taken = m_valid && m_ready;
  wire group_end = left == ONE;
  wire tile_end = group_end || row == SIZE_W'(ROWS - 1);
  wire position_end = group_end && group == groups - ONE;
  wire row_end = position_end && ox == out_w - ONE;

  assign s_ready = !m_valid || (m_ready && tile_end);
  assign m_sum   = sums[ACC_W-1:0];
  assign m_last  = row_end && oy == out_h - ONE;

  always_ff @(posedge clk) begin
    if (s_valid && s_ready) sums <= s_sums;
    else if (taken) sums <= sums >> ACC_W;
    if (start) begin
      {oy, ox, group, row} <= '0;
      m_channel <= '0;
      left <= outputs;
    end else if (taken) begin
      row <= tile_end ? '0 : row + ONE;
      left <= group_end ? outputs : left - ONE;
      m_channel <= position_end ? '0 : m_channel + ADDRESS_W'(1);
      if (group_end) group <= position_end ? '0 : group + ONE;
      if (position_end) ox <= row_end ? '0 : ox + ONE;
      if (row_end) oy <= oy + ONE;
    end
    if (rst) m_valid <= 1'b0;
    else if (s_ready) m_valid <= s_valid;
  end
endmodule

// Where the products of a convolution are: one tap per cycle, in the order of the accumulator.
//
// From the outermost loop to the innermost: output row, output column, group, tile of ROWS output
// channels, and then the taps of one sum,
//   channel_last = 0: input channel, kernel row, kernel column;
//   channel_last = 1: kernel row, kernel column, input channel.
//
// Formula of a tap, channel c of the group, kernel position (ky, kx), output position (oy, ox):
//   iy = oy * stride_h + ky * dilation_h - pad_top,  ix likewise
//   interior = the tap lies in the input
//   x_address = ((group * channels + c) * height + iy) * width + ix; means nothing outside
//   w_address = taps since the output position began;  tile = tiles since then
//   last = the sum's last tap
//
// `start` (one cycle) begins at the first position. An output is valid while `valid`; `advance`
// takes it. The outputs come out of a register, so that the multipliers of the address have a
// cycle of their own. Padding behind the input needs no register of its own: out_h and out_w say
// how many windows there are.
module conv_taps #(
    parameter int ROWS      = 2,
    parameter int ADDRESS_W = 24
) (
    input  logic                      clk,
    input  logic                      rst,
    input  logic                      start,
    input  logic [conv_pkg::BITS-1:0] registers,
    output logic                      valid,
    input  logic                      advance,
    output logic                      interior,
    output logic                      last,
    output logic [     ADDRESS_W-1:0] x_address,
    output logic [     ADDRESS_W-1:0] w_address,
    output logic [     ADDRESS_W-1:0] tile
);
  localparam int SIZE_W = conv_pkg::SIZE_W;
  wire [SIZE_W-1:0] channels = registers[conv_pkg::CHANNELS+:SIZE_W];
  wire [SIZE_W-1:0] outputs = registers[conv_pkg::OUTPUTS+:SIZE_W];
  wire [SIZE_W-1:0] groups = registers[conv_pkg::GROUPS+:SIZE_W];
  wire [SIZE_W-1:0] height = registers[conv_pkg::HEIGHT+:SIZE_W];
  wire [SIZE_W-1:0] width = registers[conv_pkg::WIDTH+:SIZE_W];
  wire [SIZE_W-1:0] out_h = registers[conv_pkg::OUT_HEIGHT+:SIZE_W];
  wire [SIZE_W-1:0] out_w = registers[conv_pkg::OUT_WIDTH+:SIZE_W];
  wire [SIZE_W-1:0] kernel_h = registers[conv_pkg::KERNEL_HEIGHT+:SIZE_W];
  wire [SIZE_W-1:0] kernel_w = registers[conv_pkg::KERNEL_WIDTH+:SIZE_W];
  wire [SIZE_W-1:0] stride_h = registers[conv_pkg::STRIDE_DOWN+:SIZE_W];
  wire [SIZE_W-1:0] stride_w = registers[conv_pkg::STRIDE_RIGHT+:SIZE_W];
  wire [SIZE_W-1:0] dilation_h = registers[conv_pkg::DILATION_DOWN+:SIZE_W];
  wire [SIZE_W-1:0] dilation_w = registers[conv_pkg::DILATION_RIGHT+:SIZE_W];
  wire [SIZE_W-1:0] pad_top = registers[conv_pkg::PAD_TOP+:SIZE_W];
  wire [SIZE_W-1:0] pad_left = registers[conv_pkg::PAD_LEFT+:SIZE_W];
  wire channel_last = registers[conv_pkg::CHANNEL_LAST];
  wire unused = &{1'b0, registers};

  localparam logic [SIZE_W-1:0] ONE = SIZE_W'(1);
  localparam int C_W = conv_pkg::COORDINATE_W;

  logic walking;
  logic [SIZE_W-1:0] oy, ox, group, left, c, ky, kx;  // left: outputs of the group, this tile's too
  logic signed [C_W-1:0] y0, x0, iy, ix;  // first tap of the window, and this tap
  logic [ADDRESS_W-1:0] channel_base, weight, tiles;

  wire signed [C_W-1:0] top = -$signed(C_W'(pad_top));
  wire signed [C_W-1:0] far_left = -$signed(C_W'(pad_left));
  wire step = walking && (!valid || advance);

  // Ends of the loops, innermost first.
  wire kx_end = kx == kernel_w - ONE;
  wire ky_end = ky == kernel_h - ONE;
  wire c_end = c == channels - ONE;
  wire kx_step = !channel_last || c_end;
  wire ky_step = kx_step && kx_end;
  wire c_step = channel_last || (kx_end && ky_end);
  wire sum_end = kx_end && ky_end && c_end;
  wire group_end = sum_end && left <= SIZE_W'(ROWS);
  wire position_end = group_end && group == groups - ONE;
  wire row_end = position_end && ox == out_w - ONE;
  wire layer_end = row_end && oy == out_h - ONE;

  wire signed [C_W-1:0] y0_next = row_end ? y0 + C_W'(stride_h) : y0;
  wire signed [C_W-1:0] x0_next =
      row_end ? far_left : position_end ? x0 + C_W'(stride_w) : x0;

  // A negative coordinate is a large unsigned one: one comparison serves both edges.
  wire inside_y = $unsigned(iy) < C_W'(height);
  wire inside_x = $unsigned(ix) < C_W'(width);
  wire [ADDRESS_W-1:0] channel = channel_base + ADDRESS_W'(c);
  wire [ADDRESS_W-1:0] line = channel * ADDRESS_W'(height) + ADDRESS_W'(iy);

  always_ff @(posedge clk) begin
    if (start) begin
      {oy, ox, group, c, ky, kx} <= '0;
      {channel_base, weight, tiles} <= '0;
      left <= outputs;
      y0   <= top;
      iy   <= top;
      x0   <= far_left;
      ix   <= far_left;
    end else if (step) begin
      if (kx_step) kx <= kx_end ? '0 : kx + ONE;
      if (kx_step) ix <= kx_end ? x0_next : ix + C_W'(dilation_w);
      if (ky_step) ky <= ky_end ? '0 : ky + ONE;
      if (ky_step) iy <= ky_end ? y0_next : iy + C_W'(dilation_h);
      if (c_step) c <= c_end ? '0 : c + ONE;
      weight <= position_end ? '0 : weight + ADDRESS_W'(1);
      if (sum_end) tiles <= position_end ? '0 : tiles + ADDRESS_W'(1);
      if (sum_end) left <= group_end ? outputs : left - SIZE_W'(ROWS);
      if (group_end) begin
        group <= position_end ? '0 : group + ONE;
        channel_base <= position_end ? '0 : channel_base + ADDRESS_W'(channels);
      end
      if (position_end) ox <= row_end ? '0 : ox + ONE;
      if (row_end) oy <= oy + ONE;
      x0 <= x0_next;
      y0 <= y0_next;
    end
    if (step) begin
      interior <= inside_y && inside_x;
      last <= sum_end;
      x_address <= line * ADDRESS_W'(width) + ADDRESS_W'(ix);
      w_address <= weight;
      tile <= tiles;
    end
    if (rst) begin
      walking <= 1'b0;
      valid   <= 1'b0;
    end else begin
      if (start) walking <= 1'b1;
      else if (step && layer_end) walking <= 1'b0;
      if (step) valid <= 1'b1;
      else if (advance) valid <= 1'b0;
    end
  end
endmodule

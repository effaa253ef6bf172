// A whole convolution layer: memories, addresses, ROWS multiply-accumulate lanes, bias, codes.
//
// Real meaning: y = convolution (no kernel flip) of one image with a layer's weights, plus bias,
// rescaled to the output's scale and zero point.
//
// Integer formula, output channel o of group g, output position (oy, ox):
//   acc = correlation.sv over channels c and kernel positions (ky, kx) of
//           (x[g*channels + c, oy*stride_h + ky*dilation_h - pad_top, ...] - x_zero_point)
//           * (weight[o, c, ky, kx] - weight_zero_point[o]), padding reading pad_value
//   sum = bias_add.sv of acc and bias[o] (sum = acc without BIAS_ADD)
//   y   = requantize.sv of sum with multiplier[o] and shift[o]
//
// Corners: sizes (1 or more), strides, dilation, padding before and after (what is after follows
// from out_h and out_w), groups and depthwise are all run-time registers; a layer must fit the
// memories. A line is an image of height 1. The order of products is that of channel_last: it
// matters to a saturating mac accumulator only.
//
// Use: beats {kind, address, value} in any order but for START, which comes last:
//   0 activation     address = (channel * height + row) * width + column; value[X_W-1:0]: the code
//   1 weights        address = tap in the order of conv_taps.sv over all tiles and groups; value:
//                    W_W x ROWS, the weights of the tile's channels at this tap
//   2 zero points    address = tile; value: (W_W + 1) x ROWS, signed
//   3 channel        address = output channel; value, least significant first: multiplier[MUL_W]
//                    (not in SCHEME 2), addend[ADD_W] (SCHEME 7 only), shift[7],
//                    bias[BIAS_W], all signed
//   4 configuration  address = register, see conv_pkg.sv; value[33:0], signed
//   5 START          runs the layer
// Memories and registers keep what they hold, also over reset: the next image needs only its
// activations and START. A tile is ROWS output channels of one group; the last one of a group may
// have fewer, and what its other lanes hold does not matter.
//
// Output: one code per beat, by output row, column, channel; tlast with the layer's last code.
// While a layer runs s_axis_tready is low; it rises when the last code has been taken, and what is
// written then is for the next image or the next layer.
//
// Throughput: one product per lane and cycle, or one code per cycle where a sum has fewer products
// than its tile has channels. Latency: about 10 cycles beyond that. tlast of the input is not read.
//
// s_axis_tdata, least significant field first: kind[3], address[ADDRESS_W], value[VALUE_W]
//   VALUE_W holds the widest value: ROWS * (W_W + 1), a channel's, and 34 at least.
// m_axis_tdata: y  OUT_W, signed or not as the clamp says
module conv_engine #(
    parameter int ROWS      = 2,
    parameter int X_W       = 8,
    parameter int X_SIGNED  = 1,
    parameter int W_W       = 8,
    parameter int W_SIGNED  = 1,
    parameter int ACC_W     = 32,
    parameter int OVERFLOW  = 0,
    parameter int AT        = 0,
    parameter int EXACT_W   = 32,
    parameter int BIAS_ADD  = 1,
    parameter int BIAS_W    = 32,
    parameter int SUM_W     = 32,
    parameter int SUM_RULE  = 0,    // OVERFLOW of bias_add
    parameter int MUL_W     = 32,
    parameter int ZI_W      = 9,
    parameter int OUT_W     = 8,
    parameter int ADD_W     = 48,
    parameter int SCHEME    = 0,
    parameter int ROUNDING  = 0,
    parameter int X_DEPTH   = 4096, // codes
    parameter int W_DEPTH   = 4096, // words of ROWS weights
    parameter int C_DEPTH   = 256,  // output channels; tiles are no more
    parameter int ADDRESS_W = 24,
    parameter int VALUE_W   = 96
) (
    input  logic                           clk,
    input  logic                           rst,
    input  logic                           s_axis_tvalid,
    output logic                           s_axis_tready,
    input  logic [3+ADDRESS_W+VALUE_W-1:0] s_axis_tdata,
    input  logic                           s_axis_tlast,
    output logic                           m_axis_tvalid,
    input  logic                           m_axis_tready,
    output logic [              OUT_W-1:0] m_axis_tdata,
    output logic                           m_axis_tlast
);
  logic running;
  wire taken = s_axis_tvalid && s_axis_tready;
  wire [2:0] kind = s_axis_tdata[2:0];
  wire [ADDRESS_W-1:0] address = s_axis_tdata[3+:ADDRESS_W];
  wire [conv_pkg::REGISTER_W-1:0] value = s_axis_tdata[3+ADDRESS_W+:conv_pkg::REGISTER_W];
  wire start = taken && kind == conv_pkg::START;
  wire unused = &{1'b0, s_axis_tlast};

  assign s_axis_tready = !running;
  always_ff @(posedge clk)
    if (rst) running <= 1'b0;
    else if (start) running <= 1'b1;
    else if (m_axis_tvalid && m_axis_tready && m_axis_tlast) running <= 1'b0;

  logic [conv_pkg::BITS-1:0] registers;
  for (genvar r = 0; r < conv_pkg::REGISTERS; r++) begin : g_register
    always_ff @(posedge clk)
      if (taken && kind == conv_pkg::CONFIGURATION && address == ADDRESS_W'(r))
        registers[r*conv_pkg::REGISTER_W+:conv_pkg::REGISTER_W] <= value;
  end

  logic sums_valid, sums_ready;
  logic [ROWS*ACC_W-1:0] tile;

  conv_sums #(
      .ROWS(ROWS),
      .X_W(X_W),
      .X_SIGNED(X_SIGNED),
      .W_W(W_W),
      .W_SIGNED(W_SIGNED),
      .ACC_W(ACC_W),
      .OVERFLOW(OVERFLOW),
      .AT(AT),
      .EXACT_W(EXACT_W),
      .X_DEPTH(X_DEPTH),
      .W_DEPTH(W_DEPTH),
      .C_DEPTH(C_DEPTH),
      .ADDRESS_W(ADDRESS_W),
      .VALUE_W(VALUE_W)
  ) sums (
      .clk(clk),
      .rst(rst),
      .start(start),
      .registers(registers),
      .write(taken),
      .beat(s_axis_tdata),
      .m_valid(sums_valid),
      .m_ready(sums_ready),
      .m_sums(tile)
  );

  conv_codes #(
      .ROWS(ROWS),
      .ACC_W(ACC_W),
      .BIAS_ADD(BIAS_ADD),
      .BIAS_W(BIAS_W),
      .SUM_W(SUM_W),
      .SUM_RULE(SUM_RULE),
      .MUL_W(MUL_W),
      .ZI_W(ZI_W),
      .OUT_W(OUT_W),
      .ADD_W(ADD_W),
      .SCHEME(SCHEME),
      .ROUNDING(ROUNDING),
      .C_DEPTH(C_DEPTH),
      .ADDRESS_W(ADDRESS_W),
      .VALUE_W(VALUE_W)
  ) codes (
      .clk(clk),
      .rst(rst),
      .start(start),
      .registers(registers),
      .write(taken),
      .beat(s_axis_tdata),
      .s_valid(sums_valid),
      .s_ready(sums_ready),
      .s_sums(tile),
      .m_valid(m_axis_tvalid),
      .m_ready(m_axis_tready),
      .m_code(m_axis_tdata),
      .m_last(m_axis_tlast)
  );
endmodule

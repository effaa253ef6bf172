// What the parts of conv_engine.sv agree on: the kinds of its beats and its registers.
package conv_pkg;
  // Kinds of beats.
  localparam logic [2:0] ACTIVATION = 3'd0;
  localparam logic [2:0] WEIGHTS = 3'd1;
  localparam logic [2:0] ZERO_POINTS = 3'd2;
  localparam logic [2:0] CHANNEL = 3'd3;
  localparam logic [2:0] CONFIGURATION = 3'd4;
  localparam logic [2:0] START = 3'd5;

  // Registers: REGISTER_W holds any code of 32 bits, any zero point and any size.
  localparam int REGISTER_W = 34;
  localparam int REGISTERS = 22;
  localparam int BITS = REGISTERS * REGISTER_W;
  localparam int SIZE_W = 17;  // sizes are 0 .. 65536
  localparam int COORDINATE_W = 20;  // signed: a padded input and a stride more

  // Lowest bit of each, in the order of their addresses, 0 first.
  localparam int CHANNELS = 0 * REGISTER_W;  // input channels of one group
  localparam int OUTPUTS = 1 * REGISTER_W;  // output channels of one group
  localparam int GROUPS = 2 * REGISTER_W;
  localparam int HEIGHT = 3 * REGISTER_W;  // of the input, one image
  localparam int WIDTH = 4 * REGISTER_W;
  localparam int OUT_HEIGHT = 5 * REGISTER_W;
  localparam int OUT_WIDTH = 6 * REGISTER_W;
  localparam int KERNEL_HEIGHT = 7 * REGISTER_W;
  localparam int KERNEL_WIDTH = 8 * REGISTER_W;
  localparam int STRIDE_DOWN = 9 * REGISTER_W;
  localparam int STRIDE_RIGHT = 10 * REGISTER_W;
  localparam int DILATION_DOWN = 11 * REGISTER_W;
  localparam int DILATION_RIGHT = 12 * REGISTER_W;
  localparam int PAD_TOP = 13 * REGISTER_W;
  localparam int PAD_LEFT = 14 * REGISTER_W;
  localparam int CHANNEL_LAST = 15 * REGISTER_W;  // 0 or 1, see conv_taps.sv
  localparam int X_ZERO_POINT = 16 * REGISTER_W;
  localparam int PAD_VALUE = 17 * REGISTER_W;
  localparam int INPUT_ZERO_POINT = 18 * REGISTER_W;  // this one and the others: requantize.sv
  localparam int ZERO_POINT = 19 * REGISTER_W;
  localparam int LOW = 20 * REGISTER_W;
  localparam int HIGH = 21 * REGISTER_W;
endpackage

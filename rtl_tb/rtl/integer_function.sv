// A function of one code by integer arithmetic: exp, sigmoid, SiLU, GELU, 1/x, 1/sqrt(x).
//
// Real meaning: y = f(x), where x and y each have a scale and a zero point.
//
// Integer formula: y = min(max(rescale(value - offset) + zero_point, low), high), the value of
// integer_function_core.sv, the rescale of requantize.sv. KINDs 4 and 5 rescale nothing: SCHEME 2
// and a shift of 0.
//
// Corners: those of the core's KIND and of requantize.sv's SCHEME. offset is a converter's, 0 in
// every other scheme.
//
// Latency: 1 cycle. Throughput: one beat per cycle. The curve and the rescale lie in one path; a
// quotient of 16 digits is part of KINDs 1 and 2: a synthesis tool may retime the register into it.
//
// s_axis_tdata, least significant field first:
//   code              IN_W       signed if IN_SIGNED
//   origin            IN_W + 1   signed: the code of x = 0; of KIND 0 the largest code that occurs
//   numbers           NUMBERS_W  those of the KIND, see the core
//   multiplier        MUL_W      signed; not in SCHEME 2
//   addend            ADD_W      signed; SCHEME 7 only
//   shift             7          signed
//   offset            ZI_W       signed
//   zero_point        OUT_W + 1  signed
//   low, high         OUT_W + 1  signed, each
//   draw              64         SCHEMEs 2 and 7 with ROUNDING 11 only
// m_axis_tdata: y     OUT_W      signed or not, as low and high say. tlast passes through.
module integer_function #(
    parameter int IN_W       = 8,
    parameter int IN_SIGNED  = 1,
    parameter int OUT_W      = 8,
    parameter int KIND       = 0,
    parameter int MUL_W      = 32,
    parameter int ZI_W       = 9,
    parameter int ADD_W      = 32,
    parameter int SCHEME     = 0,
    parameter int ROUNDING   = 0,
    localparam int NUMBERS_W = KIND == 0 ? 62 : KIND < 3 ? 66 : KIND == 3 ? 54 : 22,
    localparam int V_W       = KIND < 4 ? 32 : 42,
    localparam int SCALE_W   = (SCHEME == 2 ? 0 : MUL_W) + (SCHEME == 7 ? ADD_W : 0),
    localparam int DRAW_W    = (SCHEME == 2 || SCHEME == 7) && ROUNDING == 11 ? 64 : 0,
    localparam int S_W       = 2 * IN_W + 1 + NUMBERS_W + SCALE_W + 7 + ZI_W + 3 * (OUT_W + 1)
                               + DRAW_W
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             s_axis_tvalid,
    output logic             s_axis_tready,
    input  logic [  S_W-1:0] s_axis_tdata,
    input  logic             s_axis_tlast,
    output logic             m_axis_tvalid,
    input  logic             m_axis_tready,
    output logic [OUT_W-1:0] m_axis_tdata,
    output logic             m_axis_tlast
);
  localparam int NUMBERS = 2 * IN_W + 1;  // lowest bits of the fields
  localparam int SCALE = NUMBERS + NUMBERS_W;
  localparam int SHIFT = SCALE + SCALE_W;
  localparam int OFFSET = SHIFT + 7;
  localparam int ZERO = OFFSET + ZI_W;
  localparam int LOW = ZERO + OUT_W + 1;
  localparam int HIGH = LOW + OUT_W + 1;

  logic [MUL_W-1:0] multiplier;
  logic [ADD_W-1:0] addend;
  logic [63:0] draw;
  wire signed [V_W-1:0] value;
  wire [OUT_W-1:0] y;

  if (SCHEME == 2) begin : g_no_multiplier
    assign multiplier = '0;
  end else begin : g_multiplier
    assign multiplier = s_axis_tdata[SCALE+:MUL_W];
  end
  if (SCHEME == 7) begin : g_addend
    assign addend = s_axis_tdata[SCALE+MUL_W+:ADD_W];
  end else begin : g_no_addend
    assign addend = '0;
  end
  if (DRAW_W != 0) begin : g_draw
    assign draw = s_axis_tdata[HIGH+OUT_W+1+:64];
  end else begin : g_no_draw
    assign draw = '0;
  end

  integer_function_core #(
      .IN_W(IN_W),
      .IN_SIGNED(IN_SIGNED),
      .KIND(KIND)
  ) core (
      .code(s_axis_tdata[0+:IN_W]),
      .origin(s_axis_tdata[IN_W+:IN_W+1]),
      .numbers(s_axis_tdata[NUMBERS+:NUMBERS_W]),
      .value(value)
  );

  requantize_core #(
      .ACC_W(V_W),
      .MUL_W(MUL_W),
      .ZI_W(ZI_W),
      .OUT_W(OUT_W),
      .ADD_W(ADD_W),
      .SCHEME(SCHEME),
      .ROUNDING(ROUNDING)
  ) rescale (
      .acc(value),
      .multiplier(multiplier),
      .addend(addend),
      .shift(s_axis_tdata[SHIFT+:7]),
      .input_zero_point(s_axis_tdata[OFFSET+:ZI_W]),
      .zero_point(s_axis_tdata[ZERO+:OUT_W+1]),
      .low(s_axis_tdata[LOW+:OUT_W+1]),
      .high(s_axis_tdata[HIGH+:OUT_W+1]),
      .draw(draw),
      .y(y)
  );

  stream_register #(
      .WIDTH(OUT_W)
  ) result (
      .s_axis_tdata(y),
      .*
  );
endmodule

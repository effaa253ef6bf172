// Rotary position embedding: a pair of codes is turned by an angle.
//
// Real meaning: (a cos t - b sin t, b cos t + a sin t), codes of one scale in, of one scale out.
//
// Integer formula: both sums of rotary_core.sv, each
//   y = min(max(rescale(sum - offset) + zero_point, low), high), the rescale of requantize.sv.
//
// Corners: those of the core and of requantize.sv's SCHEME. cos and sin are codes of 2**-fraction,
// which only the rescale knows. offset is a converter's, 0 in every other scheme.
//
// Latency: 1 cycle. Throughput: one pair per cycle: four multipliers and two rescalings.
//
// s_axis_tdata, least significant field first:
//   a, b              IN_W       signed if IN_SIGNED, each: the pair
//   cos, sin          TURN_W     signed, each
//   x_zero_point      ZX_W       signed
//   multiplier        MUL_W      signed; not in SCHEME 2
//   addend            ADD_W      signed; SCHEME 7 only
//   shift             7          signed
//   offset            ZI_W       signed
//   zero_point        OUT_W + 1  signed
//   low, high         OUT_W + 1  signed, each
//   draw              64 x 2     SCHEMEs 2 and 7 with ROUNDING 11 only
// m_axis_tdata: y     OUT_W x 2  signed or not, as low and high say. tlast passes through.
module rotary #(
    parameter int IN_W      = 8,
    parameter int IN_SIGNED = 1,
    parameter int ZX_W      = 9,
    parameter int TURN_W    = 16,
    parameter int ACC_W     = 32,
    parameter int OUT_W     = 8,
    parameter int MUL_W     = 32,
    parameter int ZI_W      = 9,
    parameter int ADD_W     = 32,
    parameter int SCHEME    = 2,
    parameter int ROUNDING  = 4,
    localparam int SCALE_W  = (SCHEME == 2 ? 0 : MUL_W) + (SCHEME == 7 ? ADD_W : 0),
    localparam int DRAW_W   = (SCHEME == 2 || SCHEME == 7) && ROUNDING == 11 ? 64 : 0,
    localparam int S_W      = 2 * IN_W + 2 * TURN_W + ZX_W + SCALE_W + 7 + ZI_W + 3 * (OUT_W + 1)
                              + 2 * DRAW_W
) (
    input  logic               clk,
    input  logic               rst,
    input  logic               s_axis_tvalid,
    output logic               s_axis_tready,
    input  logic [    S_W-1:0] s_axis_tdata,
    input  logic               s_axis_tlast,
    output logic               m_axis_tvalid,
    input  logic               m_axis_tready,
    output logic [2*OUT_W-1:0] m_axis_tdata,
    output logic               m_axis_tlast
);
  localparam int COS = 2 * IN_W;  // lowest bits of the fields
  localparam int SIN = COS + TURN_W;
  localparam int INPUT_ZERO = SIN + TURN_W;
  localparam int SCALE = INPUT_ZERO + ZX_W;
  localparam int SHIFT = SCALE + SCALE_W;
  localparam int OFFSET = SHIFT + 7;
  localparam int ZERO = OFFSET + ZI_W;
  localparam int LOW = ZERO + OUT_W + 1;
  localparam int HIGH = LOW + OUT_W + 1;

  logic [MUL_W-1:0] multiplier;
  logic [ADD_W-1:0] addend;
  wire signed [ACC_W-1:0] first, second;
  wire [2*OUT_W-1:0] y;

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

  rotary_core #(
      .IN_W(IN_W),
      .IN_SIGNED(IN_SIGNED),
      .ZX_W(ZX_W),
      .TURN_W(TURN_W),
      .ACC_W(ACC_W)
  ) core (
      .a(s_axis_tdata[0+:IN_W]),
      .b(s_axis_tdata[IN_W+:IN_W]),
      .cos(s_axis_tdata[COS+:TURN_W]),
      .sin(s_axis_tdata[SIN+:TURN_W]),
      .x_zero_point(s_axis_tdata[INPUT_ZERO+:ZX_W]),
      .first(first),
      .second(second)
  );

  for (genvar lane = 0; lane < 2; lane++) begin : g_lane
    wire signed [ACC_W-1:0] sum = lane == 0 ? first : second;
    wire [OUT_W-1:0] code;
    logic [63:0] draw;

    assign y[lane*OUT_W+:OUT_W] = code;
    if (DRAW_W != 0) begin : g_draw
      assign draw = s_axis_tdata[HIGH+OUT_W+1+64*lane+:64];
    end else begin : g_no_draw
      assign draw = '0;
    end

    requantize_core #(
        .ACC_W(ACC_W),
        .MUL_W(MUL_W),
        .ZI_W(ZI_W),
        .OUT_W(OUT_W),
        .ADD_W(ADD_W),
        .SCHEME(SCHEME),
        .ROUNDING(ROUNDING)
    ) rescale (
        .acc(sum),
        .multiplier(multiplier),
        .addend(addend),
        .shift(s_axis_tdata[SHIFT+:7]),
        .input_zero_point(s_axis_tdata[OFFSET+:ZI_W]),
        .zero_point(s_axis_tdata[ZERO+:OUT_W+1]),
        .low(s_axis_tdata[LOW+:OUT_W+1]),
        .high(s_axis_tdata[HIGH+:OUT_W+1]),
        .draw(draw),
        .y(code)
    );
  end

  stream_register #(
      .WIDTH(2 * OUT_W)
  ) result (
      .s_axis_tdata(y),
      .*
  );
endmodule

// The product of two code tensors, rescaled, element by element.
//
// Real meaning: y = a * b, each of the three with a scale and a zero point of its own.
//
// Integer formula: y = min(max(rescale(product - offset) + zero_point, low), high), the rescale of
// requantize.sv, the product of mul_core.sv.
//
// Corners: those of requantize.sv's SCHEME. offset is a converter's, 0 in every other scheme.
//
// Latency: 1 cycle. Throughput: one result per cycle.
//
// s_axis_tdata, least significant field first:
//   a, b              IN_W       signed if IN_SIGNED, each
//   a_zero_point      ZX_W       signed
//   b_zero_point      ZX_W       signed
//   multiplier        MUL_W      signed; not in SCHEME 2
//   addend            ADD_W      signed; SCHEME 7 only
//   shift             7          signed
//   offset            ZI_W       signed
//   zero_point        OUT_W + 1  signed
//   low, high         OUT_W + 1  signed, each
//   draw              64         SCHEMEs 2 and 7 with ROUNDING 11 only
// m_axis_tdata: y     OUT_W      signed or not, as low and high say. tlast passes through.
module mul #(
    parameter int IN_W      = 8,
    parameter int IN_SIGNED = 1,
    parameter int ZX_W      = 9,
    parameter int ACC_W     = 32,
    parameter int OUT_W     = 8,
    parameter int MUL_W     = 32,
    parameter int ZI_W      = 2,
    parameter int ADD_W     = 32,
    parameter int SCHEME    = 0,
    parameter int ROUNDING  = 0,
    localparam int SCALE_W  = (SCHEME == 2 ? 0 : MUL_W) + (SCHEME == 7 ? ADD_W : 0),
    localparam int DRAW_W   = (SCHEME == 2 || SCHEME == 7) && ROUNDING == 11 ? 64 : 0,
    localparam int S_W      = 2 * IN_W + 2 * ZX_W + SCALE_W + 7 + ZI_W + 3 * (OUT_W + 1) + DRAW_W
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
  localparam int ZERO_A = 2 * IN_W;  // lowest bits of the fields
  localparam int ZERO_B = ZERO_A + ZX_W;
  localparam int SCALE = ZERO_B + ZX_W;
  localparam int SHIFT = SCALE + SCALE_W;
  localparam int OFFSET = SHIFT + 7;
  localparam int ZERO = OFFSET + ZI_W;
  localparam int LOW = ZERO + OUT_W + 1;
  localparam int HIGH = LOW + OUT_W + 1;

  logic [MUL_W-1:0] multiplier;
  logic [ADD_W-1:0] addend;
  logic [63:0] draw;
  wire signed [ACC_W-1:0] product;
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

  mul_core #(
      .IN_W(IN_W),
      .IN_SIGNED(IN_SIGNED),
      .ZX_W(ZX_W),
      .ACC_W(ACC_W)
  ) core (
      .a(s_axis_tdata[0+:IN_W]),
      .b(s_axis_tdata[IN_W+:IN_W]),
      .a_zero_point(s_axis_tdata[ZERO_A+:ZX_W]),
      .b_zero_point(s_axis_tdata[ZERO_B+:ZX_W]),
      .product(product)
  );

  requantize_core #(
      .ACC_W(ACC_W),
      .MUL_W(MUL_W),
      .ZI_W(ZI_W),
      .OUT_W(OUT_W),
      .ADD_W(ADD_W),
      .SCHEME(SCHEME),
      .ROUNDING(ROUNDING)
  ) rescale (
      .acc(product),
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

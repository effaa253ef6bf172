// Requantize: an accumulator becomes a narrow code.
//
// Real meaning: y - zero_point ~ (acc - input_zero_point) * scale, scale = multiplier / 2**shift, or
// 1 / 2**shift.
//
// Integer formula: x = acc - input_zero_point; y = min(max(rescale(x) + zero_point, low), high), with
//   SCHEME 0 (fixed point, double rounding), n = MUL_W - 1:
//     a = wrap32(x << max(n - shift, 0));  b = min((a * multiplier + 2**(n-1)) >> n, 2**31 - 1)
//     rescale = b / 2**max(shift - n, 0), to nearest, ties away from zero
//   SCHEME 1 (fixed point, single rounding): rescale = (x * multiplier + 2**(shift-1)) >> shift
//   SCHEME 2 (power of two): rescale = x / 2**shift, ROUNDING as in round_shift.sv; shift < 0 is the
//     exact left shift
//   SCHEME 3 (fixed point, double rounding, half up): as 0, but ties of the second rounding go up
//   SCHEME 4 (converter): as 1, but ties go away from zero
//   SCHEME 5 (TOSA, double rounding): rescale = (x * multiplier + 2**(shift-1) + e) >> shift, where e is
//     2**30 with the sign of x if shift > 31, else 0
//   SCHEME 6 (reduced multiplier): as 1 with min((multiplier + 2**15) >> 16, 2**15 - 1) and shift - 16
//   SCHEME 7 (multiply, add, shift): rescale = (x * multiplier + addend) / 2**shift, ROUNDING as in
//     round_shift.sv
//
// Corners: everything is exact but wrap32. SCHEMEs 0 and 3 take only x that fit 32 bits; their MUL_W
// is the multiplier's own width, while 1, 4 and 7 take narrower multipliers in a wider field. 6 has
// MUL_W = 32. Multipliers of 5 and 6 are not negative. Shifts are 0 .. MUL_W + 30 (SCHEMEs 0, 3),
// -62 .. 62 (2), 2 .. 62 (5), 16 .. 62 (6), 0 .. 62 (others). low <= high, both codes of the output.
//
// Latency: 1 cycle. Throughput: one beat per cycle. Multiplier, shifter and clamp lie in one path
// between the input and the output register: a synthesis tool may retime it into further registers.
//
// s_axis_tdata, least significant field first:
//   acc               ACC_W      signed
//   multiplier        MUL_W      signed; not in SCHEME 2
//   addend            ADD_W      signed; SCHEME 7 only
//   shift             7          signed
//   input_zero_point  ZI_W       signed
//   zero_point        OUT_W + 1  signed
//   low, high         OUT_W + 1  signed, each
//   draw              64         SCHEMEs 2 and 7 with ROUNDING 11 only
// m_axis_tdata: y     OUT_W      signed or not, as low and high say. tlast passes through.
module requantize #(
    parameter int ACC_W    = 32,
    parameter int MUL_W    = 32,
    parameter int ZI_W     = 9,
    parameter int OUT_W    = 8,
    parameter int ADD_W    = 32,
    parameter int SCHEME   = 0,
    parameter int ROUNDING = 0,
    localparam int SCALE_W  = (SCHEME == 2 ? 0 : MUL_W) + (SCHEME == 7 ? ADD_W : 0),
    localparam int DRAW_W   = (SCHEME == 2 || SCHEME == 7) && ROUNDING == 11 ? 64 : 0,
    localparam int S_W      = ACC_W + SCALE_W + 7 + ZI_W + 3 * (OUT_W + 1) + DRAW_W
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
  localparam int SHIFT = ACC_W + SCALE_W;  // lowest bits of the fields
  localparam int INPUT_ZERO = SHIFT + 7;
  localparam int ZERO = INPUT_ZERO + ZI_W;
  localparam int LOW = ZERO + OUT_W + 1;
  localparam int HIGH = LOW + OUT_W + 1;

  logic [MUL_W-1:0] multiplier;
  logic [ADD_W-1:0] addend;
  logic [63:0] draw;
  wire [OUT_W-1:0] y;

  if (SCHEME == 2) begin : g_no_multiplier
    assign multiplier = '0;
  end else begin : g_multiplier
    assign multiplier = s_axis_tdata[ACC_W+:MUL_W];
  end
  if (SCHEME == 7) begin : g_addend
    assign addend = s_axis_tdata[ACC_W+MUL_W+:ADD_W];
  end else begin : g_no_addend
    assign addend = '0;
  end
  if (DRAW_W != 0) begin : g_draw
    assign draw = s_axis_tdata[HIGH+OUT_W+1+:64];
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
  ) core (
      .acc(s_axis_tdata[0+:ACC_W]),
      .multiplier(multiplier),
      .addend(addend),
      .shift(s_axis_tdata[SHIFT+:7]),
      .input_zero_point(s_axis_tdata[INPUT_ZERO+:ZI_W]),
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

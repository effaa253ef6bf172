// Add: the sum of two code tensors, each with its own scale and zero point.
//
// Real meaning: y = a + b.
//
// Integer formula: with A = a - a_zero_point and B = b - b_zero_point, exactly,
//   y = min(max(adder(A, B) + zero_point, low), high)
//   SCHEME 0, 1 (shifted; double, single): rescale_out(rescale_a(A << LEFT_SHIFT)
//                                                      + rescale_b(B << LEFT_SHIFT))
//   SCHEME 2 (aligned):    rule((A << a_left) + (B << b_left)) / 2**shift
//   SCHEME 3 (multiplier): (A * a_multiplier + B * b_multiplier) / 2**shift
// add_shifted.sv, add_aligned.sv and add_multiplier.sv define them to the bit.
//
// Corners: SCHEMEs 0 and 1 have a 32-bit register; operands that leave it are refused by hw_models.
// OVERFLOW and SUM_W (SCHEME 2) are those of overflow.sv, ROUNDING (2, 3) that of round_shift.sv.
// low <= high, both codes of the output.
//
// Latency: 1 cycle. Throughput: one beat per cycle. SCHEMEs 0 and 1 have two multipliers and four
// shifts in one path: a synthesis tool may retime the output register into it.
//
// s_axis_tdata, least significant field first:
//   a, b                        IN_W       signed if IN_SIGNED, each
//   a_zero_point, b_zero_point  IN_W + 1   signed, each
//   SCHEME 0, 1: a_multiplier MUL_W, a_shift 7, b_multiplier, b_shift, out_multiplier, out_shift
//   SCHEME 2:    a_left 6, b_left 6 (both unsigned), shift 7
//   SCHEME 3:    a_multiplier MUL_W, b_multiplier MUL_W, shift 7
//   zero_point, low, high       OUT_W + 1  signed, each
//   draw                        64         SCHEME 2 with ROUNDING 11 only
// m_axis_tdata: y               OUT_W      signed or not, as low and high say. tlast passes through.
module add #(
    parameter int IN_W       = 8,
    parameter int IN_SIGNED  = 1,
    parameter int OUT_W      = 8,
    parameter int MUL_W      = 32,
    parameter int SCHEME     = 0,
    parameter int LEFT_SHIFT = 20,
    parameter int SUM_W      = 32,
    parameter int OVERFLOW   = 0,
    parameter int ROUNDING   = 0,
    localparam int SCALES_W  = SCHEME < 2 ? 3 * (MUL_W + 7) : SCHEME == 2 ? 19 : 2 * MUL_W + 7,
    localparam int S_W       = 4 * IN_W + 2 + SCALES_W + 3 * (OUT_W + 1)
                               + (SCHEME == 2 && ROUNDING == 11 ? 64 : 0)
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
  localparam int A_ZERO = 2 * IN_W;  // lowest bits of the fields
  localparam int B_ZERO = A_ZERO + IN_W + 1;
  localparam int SCALES = B_ZERO + IN_W + 1;
  localparam int ZERO = SCALES + SCALES_W;
  localparam int LOW = ZERO + OUT_W + 1;
  localparam int HIGH = LOW + OUT_W + 1;

  logic [63:0] draw;
  wire [OUT_W-1:0] y;

  if (SCHEME == 2 && ROUNDING == 11) begin : g_draw
    assign draw = s_axis_tdata[HIGH+OUT_W+1+:64];
  end else begin : g_no_draw
    assign draw = '0;
  end

  add_core #(
      .IN_W(IN_W),
      .IN_SIGNED(IN_SIGNED),
      .OUT_W(OUT_W),
      .MUL_W(MUL_W),
      .SCHEME(SCHEME),
      .LEFT_SHIFT(LEFT_SHIFT),
      .SUM_W(SUM_W),
      .OVERFLOW(OVERFLOW),
      .ROUNDING(ROUNDING)
  ) core (
      .a(s_axis_tdata[0+:IN_W]),
      .b(s_axis_tdata[IN_W+:IN_W]),
      .a_zero_point(s_axis_tdata[A_ZERO+:IN_W+1]),
      .b_zero_point(s_axis_tdata[B_ZERO+:IN_W+1]),
      .scales(s_axis_tdata[SCALES+:SCALES_W]),
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

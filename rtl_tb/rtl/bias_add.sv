// Bias add: the bias of a channel enters the accumulator.
//
// Real meaning: acc + bias, both at the accumulator's scale.
//
// Integer formula: sum = rule(acc + bias): the exact sum, then the rule of OVERFLOW on SUM_W bits:
//   0 wrap (two's complement), 1 saturate, 2 saturate_symmetric (-2**(SUM_W-1) is not used).
//
// Corners: operands may be wider than the sum; the rule sees their exact sum.
//
// Latency: 1 cycle. Throughput: one beat per cycle.
//
// s_axis_tdata, least significant field first:
//   acc   ACC_W   signed
//   bias  BIAS_W  signed
// m_axis_tdata: sum  SUM_W  signed. tlast passes through.
module bias_add #(
    parameter int ACC_W    = 32,
    parameter int BIAS_W   = 32,
    parameter int SUM_W    = 32,
    parameter int OVERFLOW = 0
) (
    input  logic                    clk,
    input  logic                    rst,
    input  logic                    s_axis_tvalid,
    output logic                    s_axis_tready,
    input  logic [ACC_W+BIAS_W-1:0] s_axis_tdata,
    input  logic                    s_axis_tlast,
    output logic                    m_axis_tvalid,
    input  logic                    m_axis_tready,
    output logic [       SUM_W-1:0] m_axis_tdata,
    output logic                    m_axis_tlast
);
  wire [SUM_W-1:0] sum;

  bias_add_core #(
      .ACC_W(ACC_W),
      .BIAS_W(BIAS_W),
      .SUM_W(SUM_W),
      .OVERFLOW(OVERFLOW)
  ) core (
      .acc(s_axis_tdata[0+:ACC_W]),
      .bias(s_axis_tdata[ACC_W+:BIAS_W]),
      .sum(sum)
  );

  stream_register #(
      .WIDTH(SUM_W)
  ) result (
      .s_axis_tdata(sum),
      .*
  );
endmodule

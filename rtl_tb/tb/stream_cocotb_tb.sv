// Ties module `dut` to a cocotb bench; made for few and cheap accesses through VPI.
//
// The bench drives {m_axis_tready, s_axis_tvalid, rst} as `control` and {tlast, tdata} as 32-bit
// `words`, least significant first, of which it writes those that change. It reads one vector,
// `seen`: {s_axis_tready, m_axis_tvalid, m_axis_tlast, m_axis_tdata} as the last rising edge of clk
// found them, x and z included. It reads and drives at the falling edge, so nothing that it does
// can race with the design, in whatever order a simulator runs processes.
//
// While s_axis_tvalid is low, tdata and tlast are x: nothing may depend on them.
// A rising `dump` starts waves of all that is here, in waves.vcd.
`timescale 1ns / 1ns
module qsim_stream_cocotb_tb #(
    parameter int S_W = 8,  // bits of s_axis_tdata
    parameter int M_W = 8   // bits of m_axis_tdata
);
  localparam int WORDS = (S_W + 32) / 32;

  reg clk = 0;
  reg [2:0] control = 3'b001;
  reg [31:0] words[0:WORDS-1];
  reg dump = 0;
  reg [M_W+2:0] seen;

  wire [32*WORDS-1:0] beat;
  wire s_last, s_ready, m_valid, m_last;
  wire [S_W-1:0] s_data;
  wire [M_W-1:0] m_data;

  genvar i;
  for (i = 0; i < WORDS; i = i + 1) begin : g_words
    assign beat[32*i+:32] = words[i];
  end
  assign {s_last, s_data} = control[1] ? beat[S_W:0] : {(S_W + 1) {1'bx}};

  always @(posedge clk) seen <= {s_ready, m_valid, m_last, m_data};

  initial $dumpfile("waves.vcd");
  always @(posedge dump) $dumpvars(0, qsim_stream_cocotb_tb);

  qsim_dut dut (
      .clk(clk),
      .rst(control[0]),
      .s_axis_tvalid(control[1]),
      .s_axis_tready(s_ready),
      .s_axis_tdata(s_data),
      .s_axis_tlast(s_last),
      .m_axis_tvalid(m_valid),
      .m_axis_tready(control[2]),
      .m_axis_tdata(m_data),
      .m_axis_tlast(m_last)
  );
endmodule

// The stream of a module that makes one result of each packet (tlast ends it) and keeps one word
// between its beats.
//
// Meaning: the module around it says, without a clock, what a beat makes of the word (`next`) and,
// if the beat is the packet's last, of the output (`result`). `first` is 1 at the first beat of a
// packet, where `kept` means nothing. Each packet gives one beat at m_axis, tlast = 1.
//
// Corners: reset drops the packet that has begun and the result that waits.
//
// Latency: 1 cycle from a packet's last beat to its result. Throughput: one beat per cycle; while
// a result waits in the output register the next packet goes on, up to its own last beat.
//
// max_pool.sv and correlation.sv are made of it; avg_pool.sv is not: its divider has a cycle of its
// own between the last beat and the output register.
module packet_register #(
    parameter int KEPT_W = 8,
    parameter int WIDTH  = 8
) (
    input  logic              clk,
    input  logic              rst,
    input  logic              s_axis_tvalid,
    output logic              s_axis_tready,
    input  logic              s_axis_tlast,
    output logic              first,
    output logic [KEPT_W-1:0] kept,
    input  logic [KEPT_W-1:0] next,
    input  logic [ WIDTH-1:0] result,
    output logic              m_axis_tvalid,
    input  logic              m_axis_tready,
    output logic [ WIDTH-1:0] m_axis_tdata,
    output logic              m_axis_tlast
);
  wire taken = s_axis_tvalid && s_axis_tready;

  // Only a packet's last beat needs the output register.
  assign s_axis_tready = !m_axis_tvalid || m_axis_tready || !(s_axis_tvalid && s_axis_tlast);
  assign m_axis_tlast  = 1'b1;

  always_ff @(posedge clk) begin
    if (taken) kept <= next;
    if (taken && s_axis_tlast) m_axis_tdata <= result;
    if (rst) begin
      first <= 1'b1;
      m_axis_tvalid <= 1'b0;
    end else begin
      if (taken) first <= s_axis_tlast;
      if (taken && s_axis_tlast) m_axis_tvalid <= 1'b1;
      else if (m_axis_tready) m_axis_tvalid <= 1'b0;
    end
  end
endmodule

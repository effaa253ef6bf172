// One register of an AXI-Stream: holds a beat until it is taken.
//
// Meaning: every beat (tdata, tlast) that is taken at s_axis comes out at m_axis once, unchanged and
// in order.
//
// Corners: tvalid waits for nothing, and tdata and tlast stay while a beat waits. A beat that is
// taken in a cycle with rst, or held then, is dropped: m_axis_tvalid is low in the next cycle.
//
// Latency: 1 cycle. Throughput: one beat per cycle, also while the sink stalls now and then, because
// s_axis_tready passes m_axis_tready on in the same cycle.
module stream_register #(
    parameter int WIDTH = 8
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             s_axis_tvalid,
    output logic             s_axis_tready,
    input  logic [WIDTH-1:0] s_axis_tdata,
    input  logic             s_axis_tlast,
    output logic             m_axis_tvalid,
    input  logic             m_axis_tready,
    output logic [WIDTH-1:0] m_axis_tdata,
    output logic             m_axis_tlast
);
  assign s_axis_tready = !m_axis_tvalid || m_axis_tready;

  always_ff @(posedge clk) begin
    if (s_axis_tready) begin
      m_axis_tvalid <= s_axis_tvalid;
      m_axis_tdata  <= s_axis_tdata;
      m_axis_tlast  <= s_axis_tlast;
    end
    if (rst) m_axis_tvalid <= 1'b0;
  end
endmodule

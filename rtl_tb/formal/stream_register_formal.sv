// What stream_register.sv must do, as a scoreboard: proved by induction (qsim prove stream_register).
//
// ok in every cycle after a reset means: no beat is lost, repeated, changed or reordered; tvalid
// stays and tdata and tlast stay while a beat waits; a beat is accepted unless one waits.
module stream_register_formal #(
    parameter int WIDTH = 8
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             s_axis_tvalid,
    input  logic [WIDTH-1:0] s_axis_tdata,
    input  logic             s_axis_tlast,
    input  logic             m_axis_tready,
    output logic             ok
);
  wire s_axis_tready, m_axis_tvalid, m_axis_tlast;
  wire [WIDTH-1:0] m_axis_tdata;

  stream_register #(
      .WIDTH(WIDTH)
  ) dut (.*);

  logic held;  // a beat was accepted and not taken: at most one
  logic [WIDTH:0] beat;
  logic waited;  // a beat was offered in the last cycle and not taken
  logic [WIDTH:0] offered;
  wire accepted = s_axis_tvalid && s_axis_tready;
  wire taken = m_axis_tvalid && m_axis_tready;

  always_ff @(posedge clk) begin
    held <= !rst && (accepted || (held && !taken));
    if (accepted) beat <= {s_axis_tlast, s_axis_tdata};
    waited  <= !rst && m_axis_tvalid && !m_axis_tready;
    offered <= {m_axis_tlast, m_axis_tdata};
  end

  wire same = m_axis_tvalid == held && (!held || {m_axis_tlast, m_axis_tdata} == beat);
  wire room = s_axis_tready == (!held || m_axis_tready);
  wire stable = !waited || (m_axis_tvalid && {m_axis_tlast, m_axis_tdata} == offered);
  assign ok = same && room && stable;
endmodule

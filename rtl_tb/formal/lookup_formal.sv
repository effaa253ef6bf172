// What lookup.sv must do, as a scoreboard: proved by induction (qsim prove lookup).
//
// One address is watched, any one: `watched` is free and never changes; nothing is known of it (known
// is 0) in the first cycle. ok in every cycle after a
// reset means: a beat that read the watched address carries the value of its last load, beats come
// out once and in order with their tlast, a load makes no beat, and a beat that waits stays.
module lookup_formal #(
    parameter int IN_W  = 8,
    parameter int OUT_W = 8
) (
    input  logic                clk,
    input  logic                rst,
    input  logic                s_axis_tvalid,
    input  logic [OUT_W+IN_W:0] s_axis_tdata,
    input  logic                s_axis_tlast,
    input  logic                m_axis_tready,
    output logic                ok,
    output logic                known,
    output logic [    IN_W-1:0] watched,
    output logic [   OUT_W-1:0] value
);
  wire s_axis_tready, m_axis_tvalid, m_axis_tlast;
  wire [OUT_W-1:0] m_axis_tdata;

  lookup #(
      .IN_W(IN_W),
      .OUT_W(OUT_W)
  ) dut (.*);

  wire load = s_axis_tdata[0];
  wire [IN_W-1:0] address = s_axis_tdata[1+:IN_W];
  wire accepted = s_axis_tvalid && s_axis_tready && !rst;
  wire taken = m_axis_tvalid && m_axis_tready;

  logic held, held_known, held_last;  // a read that was accepted and not taken
  logic [OUT_W-1:0] held_value;
  logic waited;
  logic [OUT_W:0] offered;

  always_ff @(posedge clk) begin
    watched <= watched;
    if (accepted && load && address == watched) begin
      known <= 1'b1;
      value <= s_axis_tdata[IN_W+1+:OUT_W];
    end
    held <= !rst && ((accepted && !load) || (held && !taken));
    if (accepted && !load) begin
      held_known <= known && address == watched;
      held_value <= value;
      held_last  <= s_axis_tlast;
    end
    waited  <= !rst && m_axis_tvalid && !m_axis_tready;
    offered <= {m_axis_tlast, m_axis_tdata};
  end

  wire same = m_axis_tvalid == held && (!held || m_axis_tlast == held_last)
      && (!(held && held_known) || m_axis_tdata == held_value);
  wire room = s_axis_tready == (!held || m_axis_tready);
  wire stable = !waited || (m_axis_tvalid && {m_axis_tlast, m_axis_tdata} == offered);
  assign ok = same && room && stable;
endmodule

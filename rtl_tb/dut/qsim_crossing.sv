// Between the bench's streams and a wrapper whose clock is slower, and in phase.
//
// `tick` says that the next rising edge of clk is one of the slower clock. Reset stays RESET edges of
// the slower clock.
module qsim_crossing #(
    parameter int M_W = 8,
    parameter logic [2:0] RESET = 3'd4
) (
    input  logic           clk,
    input  logic           rst,
    input  logic           tick,
    output logic           slow_rst,
    output logic           s_ready,
    input  logic           slow_s_ready,
    input  logic           slow_m_valid,
    output logic           slow_m_ready,
    input  logic [M_W-1:0] slow_m_data,
    input  logic           slow_m_last,
    output logic           m_valid,
    input  logic           m_ready,
    output logic [M_W-1:0] m_data,
    output logic           m_last
);
  logic [2:0] left;

  assign slow_rst = rst || left != '0;
  assign s_ready = tick && !slow_rst && slow_s_ready;
  assign slow_m_ready = !m_valid && !slow_rst;

  always_ff @(posedge clk)
    if (rst) begin
      left <= RESET;
      m_valid <= 1'b0;
    end else begin
      if (tick && left != '0) left <= left - 1'b1;
      if (tick && slow_m_ready && slow_m_valid) begin
        m_valid <= 1'b1;
        m_data <= slow_m_data;
        m_last <= slow_m_last;
      end else if (m_ready) m_valid <= 1'b0;
    end
endmodule

// Sends the results of a group one after the other; only `count` lanes of it hold any.
// THROUGH, of one lane: valid and ready are those of the design, in the same cycle.
module qsim_scatter #(
    parameter int W = 8,
    parameter int LANES = 1,
    parameter int COUNT_W = 8,
    parameter bit THROUGH = 0
) (
    input  logic               clk,
    input  logic               rst,
    input  logic               r_valid,
    output logic               r_ready,
    input  logic [LANES*W-1:0] r_data,
    input  logic [COUNT_W-1:0] r_count,
    input  logic               r_last,
    output logic               m_valid,
    input  logic               m_ready,
    output logic [W-1:0]       m_data,
    output logic               m_last
);
  if (THROUGH) begin : g_through
    assign m_valid = r_valid;
    assign r_ready = m_ready;
    assign m_data  = r_data;
    assign m_last  = r_last;
    wire unused = &{1'b0, clk, rst, r_count};
  end else begin : g_groups
    logic [LANES*W-1:0] data;
    logic [COUNT_W-1:0] left;
    logic last;

    assign m_valid = left != '0;
    assign m_data  = data[0+:W];
    assign m_last  = last && left == COUNT_W'(1);
    assign r_ready = left == '0 || (left == COUNT_W'(1) && m_ready);

    always_ff @(posedge clk)
      if (rst) left <= '0;
      else if (r_valid && r_ready) begin
        data <= r_data;
        left <= r_count;
        last <= r_last;
      end else if (m_valid && m_ready) begin
        data <= data >> W;
        left <= left - 1'b1;
      end
  end
endmodule

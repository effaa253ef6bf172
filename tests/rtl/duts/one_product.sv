// One multiply-accumulate a cycle; the sum leaves after the last product of a packet.
module one_product #(
    parameter bit KEEP = 0  // 1: the sum of a packet stays for the next, which is wrong
) (
    input  logic               clk,
    input  logic               rst,
    input  logic               s_valid,
    output logic               s_ready,
    input  logic               s_last,
    input  logic signed  [7:0] x,
    input  logic signed  [7:0] w,
    input  logic signed  [8:0] x_zero,
    input  logic signed  [8:0] w_zero,
    output logic               m_valid,
    input  logic               m_ready,
    output logic signed [31:0] sum
);
  logic signed [31:0] total;
  wire signed [31:0] next = total + (32'(x) - 32'(x_zero)) * (32'(w) - 32'(w_zero));
  assign s_ready = !m_valid || m_ready;
  always_ff @(posedge clk)
    if (rst) begin
      m_valid <= 1'b0;
      total <= '0;
    end else if (s_ready) begin
      m_valid <= s_valid && s_last;
      if (s_valid) begin
        sum <= next;
        total <= s_last && !KEEP ? '0 : next;
      end
    end
endmodule

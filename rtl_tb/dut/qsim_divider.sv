// A clock N times slower than clk, whose rising edges are rising edges of clk.
//
// The edge comes by a blocking assignment: registers of both clocks sample before any of them changes.
/* verilator lint_off BLKSEQ */
module qsim_divider #(
    parameter int N = 2
) (
    input  logic clk,
    output reg   slow,
    output logic tick  // the next rising edge of clk is one of slow
);
  reg [7:0] count = 8'd0;
  wire [7:0] next = tick ? 8'd0 : count + 8'd1;

  assign tick = count == 8'(N - 1);

  initial slow = 1'b0;
  always @(posedge clk) begin
    slow = {1'b0, next, 1'b0} < 10'(N);
    count <= next;
  end
endmodule

// First-in first-out buffer of somebody else's results and of their tags.
//
// `head` is the oldest entry while `empty` is low. A push into a full buffer is lost: whoever
// pushes keeps count (the wrapper issues no operation whose result would not fit).
module qsim_fifo #(
    parameter int W = 8,
    parameter int LOG_DEPTH = 5
) (
    input  logic         clk,
    input  logic         rst,
    input  logic         push,
    input  logic [W-1:0] data,
    input  logic         pop,
    output logic [W-1:0] head,
    output logic         empty,
    output logic         full
);
  logic [W-1:0] memory[0:(1<<LOG_DEPTH)-1];
  logic [LOG_DEPTH:0] written, read;

  assign empty = written == read;
  assign full  = written - read == {1'b1, {LOG_DEPTH{1'b0}}};
  assign head  = memory[read[LOG_DEPTH-1:0]];

  always_ff @(posedge clk)
    if (rst) begin
      written <= '0;
      read <= '0;
    end else begin
      if (push && !full) begin
        memory[written[LOG_DEPTH-1:0]] <= data;
        written <= written + 1'b1;
      end
      if (pop && !empty) read <= read + 1'b1;
    end
endmodule

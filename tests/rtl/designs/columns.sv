// Bias adders of a systolic array's four columns, each with a bias of its own; all bits of a group in
// one word, padded. WRONG 1: every column adds the first one's bias; 2: biases from the
// other end; 3: the result is replaced while it waits.
module columns #(parameter W = 20, WORD = 192, WRONG = 0) (
    input clk, rst_n, input [1:0] mode,
    input in_tvalid, output in_tready, input [WORD-1:0] in_tdata,
    output logic out_tvalid, input out_tready, output logic [4*W-1:0] out_tdata
);
  wire move = !out_tvalid || out_tready;
  assign in_tready = move;
  always_ff @(posedge clk)
    if (!rst_n) out_tvalid <= 1'b0;
    else if (move) out_tvalid <= in_tvalid && mode == 2'd2;
  for (genvar i = 0; i < 4; i++) begin : column
    localparam FROM = WRONG == 1 ? 0 : WRONG == 2 ? 3 - i : i;
    always_ff @(posedge clk)
      if (in_tvalid && (move || WRONG == 3))
        out_tdata[W*i+:W] <= in_tdata[W*i+:W] + in_tdata[W*(4+FROM)+:W];
  end
endmodule

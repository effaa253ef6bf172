// bias_add behind valid and ready that cannot hold a result back: 40 cycles later it is there, once.
// It is not always ready. WRONG 1: loses a result.
module credits #(parameter WRONG = 0) (
    input clk, rst,
    input in_valid, output in_ready, input signed [19:0] acc, bias,
    output out_valid, output signed [19:0] sum
);
  logic [39:0] valid;
  logic signed [19:0] sums[40];
  logic [6:0] state, count;
  assign in_ready = state[0] || state[3];
  assign out_valid = valid[39] && !(WRONG != 0 && count == 7'd30);
  assign sum = sums[39];
  always_ff @(posedge clk) begin
    sums[0] <= acc + bias;
    for (int k = 1; k < 40; k++) sums[k] <= sums[k-1];
    valid <= {valid[38:0], in_valid && in_ready};
    state <= {state[5:0], state[6] ^ state[5]};
    if (valid[39]) count <= count + 1'b1;
    if (rst) begin
      valid <= '0;
      state <= 7'd1;
      count <= '0;
    end
  end
endmodule

// Matrix products of a whole array at once: an unpacked matrix of weights, combinational but for the sums.
// WRONG 1: the matrix is transposed.
module matrix #(parameter WRONG = 0) (
    input clk, rst, take, last,
    input signed [7:0] x [2],
    input signed [7:0] w [2][2],
    output logic done, output logic signed [31:0] sum [2]
);
  logic signed [31:0] acc[2];
  always_ff @(posedge clk)
    if (rst) begin
      done <= 1'b0;
      for (int row = 0; row < 2; row++) acc[row] <= '0;
    end else begin
      done <= take && last;
      if (take)
        for (int row = 0; row < 2; row++) begin
          acc[row] <= last ? 32'sd0 : acc[row] + x[0] * w[row][0] + x[1] * w[row][1];
          sum[row] <= acc[row] + x[0] * (WRONG != 0 ? w[0][row] : w[row][0])
              + x[1] * (WRONG != 0 ? w[1][row] : w[row][1]);
        end
    end
endmodule

// bias_add, one operation at a time: start while idle, done with the result; done is a pulse, or with
// LEVEL stays until the next start. WRONG 1: reads the bias in the cycle after start. 2: done twice.
module start_done #(parameter WRONG = 0, parameter LEVEL = 0) (
    input clk, rst,
    input start, input signed [19:0] acc, bias,
    output logic busy, output logic done, output logic signed [19:0] sum
);
  logic [2:0] state;
  logic signed [19:0] a, b;
  always_ff @(posedge clk)
    if (rst) begin
      busy <= 1'b0;
      done <= 1'b0;
      state <= '0;
    end else begin
      if (LEVEL == 0 || start) done <= 1'b0;
      if (start && !busy) begin
        a <= acc;
        b <= bias;
        busy <= 1'b1;
        state <= 3'd1;
      end else if (busy) begin
        if (WRONG == 1 && state == 3'd1) b <= bias;
        state <= state + 3'd1;
        if (state == 3'd3) begin
          sum <= a + b;
          done <= 1'b1;
          busy <= WRONG == 2;
        end
        if (state == 3'd5) begin
          done <= 1'b1;
          busy <= 1'b0;
        end
      end
    end
endmodule

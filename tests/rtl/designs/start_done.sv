// bias_add, one operation at a time: start while idle, done with the result; done is a pulse, or with
// LEVEL stays until the next start; with LOW all three are active low. WRONG 1: reads the bias in the
// cycle after start. 2: done twice.
module start_done #(parameter WRONG = 0, parameter LEVEL = 0, parameter LOW = 0) (
    input clk, rst,
    input start, input signed [19:0] acc, bias,
    output busy, output done, output logic signed [19:0] sum
);
  logic [2:0] state;
  logic signed [19:0] a, b;
  logic works, ended;
  wire go = LOW != 0 ? !start : start;
  assign busy = LOW != 0 ? !works : works;
  assign done = LOW != 0 ? !ended : ended;
  always_ff @(posedge clk)
    if (rst) begin
      works <= 1'b0;
      ended <= 1'b0;
      state <= '0;
    end else begin
      if (LEVEL == 0 || go) ended <= 1'b0;
      if (go && !works) begin
        a <= acc;
        b <= bias;
        works <= 1'b1;
        state <= 3'd1;
      end else if (works) begin
        if (WRONG == 1 && state == 3'd1) b <= bias;
        state <= state + 3'd1;
        if (state == 3'd3) begin
          sum <= a + b;
          ended <= 1'b1;
          works <= WRONG == 2;
        end
        if (state == 3'd5) begin
          ended <= 1'b1;
          works <= 1'b0;
        end
      end
    end
endmodule

// bias_add of one bit-serial adder of four cycles: what comes sooner than four cycles later is lost.
module interval_adder (
    input clk, rst,
    input in_valid, input signed [19:0] acc, bias,
    output logic out_valid, output logic signed [19:0] sum
);
  logic [2:0] step;
  logic [19:0] a, b;
  logic carry;
  wire [5:0] part = {1'b0, a[4:0]} + {1'b0, b[4:0]} + {5'd0, carry};
  always_ff @(posedge clk)
    if (rst) begin
      step <= '0;
      out_valid <= 1'b0;
    end else begin
      out_valid <= step == 3'd4;
      if (step != '0) begin
        {carry, sum} <= {part[5], part[4:0], sum[19:5]};
        a <= a >> 5;
        b <= b >> 5;
        step <= step == 3'd4 ? 3'd0 : step + 3'd1;
      end
      if (in_valid && (step == '0 || step == 3'd4)) begin
        step <= 3'd1;
        a <= acc;
        b <= bias;
        carry <= 1'b0;
      end
    end
endmodule

// bias_add with inputs that must be tied and parameters of every type. With a wrong one it subtracts.
module constants #(
    parameter MODE = "HALF_DOWN",
    parameter real GAIN = 1.0,
    parameter [95:0] MASK = 0,
    parameter LIMIT = 1
) (
    input clk, en,
    input [3:0] mode,
    input signed [7:0] offset,
    input signed [19:0] acc, bias,
    output logic signed [19:0] sum
);
  wire right = MODE == "HALF_UP" && GAIN == 0.25 && MASK == 96'h8000_0000_0000_0000_0000_0001
      && LIMIT == 64'd5000000000 && mode == 4'd9 && offset == -8'sd3;
  always_ff @(posedge clk) if (en) sum <= right ? acc + bias : acc - bias;
endmodule

// Multi-threshold activation: y counts the thresholds that x reaches.
module thresholds #(parameter bit STRICT = 0) (
    input  logic               clk,
    input  logic               rst_n,
    input  logic               in_valid,
    input  logic signed  [7:0] x,
    input  logic        [23:0] limits,  // three of 8 bits, signed, the first lowest
    output logic               out_valid,
    output logic         [1:0] y,
    output logic               any
);
  logic [2:0] met;
  for (genvar i = 0; i < 3; i++) begin : each
    wire signed [7:0] limit = limits[8*i+:8];
    assign met[i] = STRICT ? x > limit : x >= limit;
  end
  always_ff @(posedge clk or negedge rst_n)
    if (!rst_n) out_valid <= 1'b0;
    else begin
      out_valid <= in_valid;
      y <= 2'(met[0]) + 2'(met[1]) + 2'(met[2]);
      any <= |met;
    end
endmodule

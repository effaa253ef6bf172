// One step of Newton's iteration: y becomes more exact by what is left over. Pure.
//
// Integer formula: next = y + floor((y * floor(left / 2**10) + 2**20) / 2**21)
//
// Corners: left fits 25 bits with its sign, so that floor(left / 2**10) fits 15.
module newton_step (
    input  logic        [16:0] y,
    input  logic signed [31:0] left,
    output logic        [16:0] next
);
  wire signed [31:0] product = $signed({15'b0, y}) * 32'($signed(left[24:10]));
  wire signed [31:0] nudged = product + 32'sh100000;
  wire unused = &{1'b0, left[31:25], left[9:0], nudged[20:0]};
  assign next = y + {{6{nudged[31]}}, nudged[31:21]};
endmodule

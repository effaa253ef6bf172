// The end of Newton's iterations: a multiplier and a right shift, half up. Pure.
//
// Integer formula: rounded = floor((y * multiplier + floor(2**places / 2)) / 2**places)
//
// Corners: places is 0 .. 62; y * multiplier fits 33 bits.
module newton_scale (
    input  logic [16:0] y,
    input  logic [15:0] multiplier,
    input  logic [ 5:0] places,
    output logic [41:0] rounded
);
  wire [63:0] product = 64'(y) * 64'(multiplier);
  wire [63:0] half = (64'b1 << places) >> 1;
  wire [63:0] shifted = (product + half) >> places;
  wire unused = &{1'b0, shifted[63:42]};
  assign rounded = shifted[41:0];
endmodule

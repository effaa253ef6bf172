// The digits of a number that its root is taken of, wherever they begin. Pure.
//
// Integer formula, of 1 <= value < 2**63, whose highest bit is bit length - 1:
//   places = floor((2 * ROOT_BITS - length) / 2);  window = floor(value * 4**places)
//
// So window has 2 * ROOT_BITS bits or one less, and its root ROOT_BITS bits, the highest of them 1:
// root(value) ~ root(window) / 2**places.
module norm_window #(
    parameter int ROOT_BITS = 16
) (
    input  logic        [         62:0] value,
    output logic signed [          6:0] places,
    output logic        [2*ROOT_BITS-1:0] window
);
  localparam logic signed [6:0] FULL = 7'(2 * ROOT_BITS);
  logic signed [6:0] length;

  always_comb begin
    length = '0;
    for (int place = 0; place < 63; place++) if (value[place]) length = 7'(place + 1);
  end

  wire signed [6:0] twice = {places[5:0], 1'b0};  // -48 .. 58
  wire [5:0] left = twice < 0 ? '0 : twice[5:0];
  wire [5:0] right = twice < 0 ? 6'(-twice) : '0;
  wire [2*ROOT_BITS-1:0] cut = (2 * ROOT_BITS)'(value >> right);

  assign places = (FULL - length) >>> 1;
  assign window = cut << left;
endmodule

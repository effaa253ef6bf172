// 1/c by a table of seeds and two steps of Newton, before its zero point. Pure.
//
// Integer formula: with e the length of abs(c) in bits, m = floor(abs(c) * 2**(16 - e)),
//   y = seed(m >> 8) * 2**7, twice y = y + floor((y * floor((2**31 - m * y) / 2**10) + 2**20) / 2**21)
//   value = (y * multiplier + half) >> (e + right_shift), with the sign of c; half rounds half up
//   seed(128 + i) = 2**16 / (128.5 + i), to nearest
//
// Corners: abs(c) fits 16 bits. c = 0 gives 2**40, which every output's clamp makes its largest code. right_shift is
// 0 .. 45. m * y differs from 2**31 by less than 2**24.
module newton_inverse (
    input  logic signed [16:0] c,
    input  logic        [15:0] multiplier,
    input  logic        [ 5:0] right_shift,
    output logic signed [41:0] value
);
  typedef logic [1151:0] seeds_t;  // 128 of 9 bits

  // The largest s with s - 1/2 at most the quotient, digit by digit; none is a tie.
  function automatic seeds_t seeds();
    for (int i = 0; i < 128; i++) begin
      int s;
      s = 0;
      for (int place = 8; place >= 0; place--)
      if ((2 * (s + (1 << place)) - 1) * (257 + 2 * i) <= (1 << 18)) s = s + (1 << place);
      seeds[9*i+:9] = s[8:0];
    end
  endfunction
  localparam seeds_t SEEDS = seeds();

  wire negative = c < 0;
  wire [15:0] size = negative ? 16'(-c) : c[15:0];
  logic [4:0] e;
  always_comb begin
    e = '0;
    for (int place = 0; place < 16; place++) if (size[place]) e = 5'(place + 1);
  end
  wire [15:0] m = size << (5'd16 - e);
  wire [16:0] y0 = {1'b0, SEEDS[9*m[14:8]+:9], 7'b0};
  wire [16:0] y1, y2;

  newton_step first (
      .y(y0),
      .left(32'h80000000 - 32'(m) * 32'(y0)),
      .next(y1)
  );
  newton_step second (
      .y(y1),
      .left(32'h80000000 - 32'(m) * 32'(y1)),
      .next(y2)
  );

  wire [41:0] rounded;
  newton_scale scale (
      .y(y2),
      .places(6'(e) + right_shift),
      .*
  );
  assign value = size == 0 ? 42'sh10000000000 : negative ? -rounded : rounded;
endmodule

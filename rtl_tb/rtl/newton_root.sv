// 1/sqrt(c) by a table of seeds and two steps of Newton, before its zero point. Pure.
//
// Integer formula: with pairs = ceil(length(c) / 2), m = floor(c * 2**(16 - 2 * pairs)),
//   y = seed(m >> 8) * 2**7, twice h = floor((y * y + 2**15) / 2**16) and
//   y = y + floor((y * floor((2**30 - m * h) / 2**10) + 2**20) / 2**21)
//   value = (y * multiplier + half) >> (pairs + right_shift); half rounds half up
//   seed(64 + i) = 2**12 / sqrt(64.5 + i), to nearest
//
// Corners: c fits 16 bits. c <= 0 gives 2**40, which every output's clamp makes its largest code. right_shift is
// 0 .. 45. m * h differs from 2**30 by less than 2**24.
module newton_root (
    input  logic signed [16:0] c,
    input  logic        [15:0] multiplier,
    input  logic        [ 5:0] right_shift,
    output logic signed [41:0] value
);
  typedef logic [1727:0] seeds_t;  // 192 of 9 bits

  // The largest s with s - 1/2 at most the root, digit by digit; none is a tie.
  function automatic seeds_t seeds();
    for (int i = 0; i < 192; i++) begin
      int s, odd;
      s = 0;
      for (int place = 8; place >= 0; place--) begin
        odd = 2 * (s + (1 << place)) - 1;
        if (odd * odd * (129 + 2 * i) <= (1 << 27)) s = s + (1 << place);
      end
      seeds[9*i+:9] = s[8:0];
    end
  endfunction
  localparam seeds_t SEEDS = seeds();

  wire positive = c > 0;
  wire [15:0] size = c[15:0];
  logic [3:0] pairs;
  always_comb begin
    pairs = '0;
    for (int place = 0; place < 16; place++) if (size[place]) pairs = 4'(place / 2 + 1);
  end
  wire [15:0] m = positive ? size << (5'd16 - {pairs, 1'b0}) : 16'h4000;
  wire [7:0] index = m[15:8] - 8'd64;
  wire [16:0] y0 = {1'b0, SEEDS[9*index+:9], 7'b0};
  wire [16:0] y1, y2;
  wire [33:0] square0 = 34'(y0) * 34'(y0) + 34'h8000;
  wire [33:0] square1 = 34'(y1) * 34'(y1) + 34'h8000;
  wire unused = &{1'b0, square0[15:0], square1[15:0]};

  newton_step first (
      .y(y0),
      .left(32'h40000000 - 32'(m) * 32'(square0[33:16])),
      .next(y1)
  );
  newton_step second (
      .y(y1),
      .left(32'h40000000 - 32'(m) * 32'(square1[33:16])),
      .next(y2)
  );

  wire [41:0] rounded;
  newton_scale scale (
      .y(y2),
      .places(6'(pairs) + right_shift),
      .*
  );
  assign value = positive ? rounded : 42'sh10000000000;
endmodule

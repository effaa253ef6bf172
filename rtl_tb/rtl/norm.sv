// Norms: the codes of a row less their mean, divided by their deviation; layer, group and RMS norm.
//
// Real meaning: y = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias, over a row; without the mean, and
// with the mean of squares as var, if CENTRED = 0.
//
// Integer formula, for a packet (tlast ends it) of count beats, all in exact integers, c = x - x_zero_point:
//   total = sum(c), or 0 if CENTRED = 0;  squares = sum(c * c)
//   variance = max((count * squares - total**2) * 2**GUARD + epsilon, 2**GUARD)    norm_variance.sv
//   reciprocal, places: the inverse of its root, ROOT_BITS digits                 norm_inverse.sv
//   shift = 2 * ROOT_BITS - 1 - GUARD / 2 - fraction - places
//   acc = ((count * c - total) * reciprocal + floor(2**shift / 2)) / 2**shift * weight + bias
//   y = requantize(acc), the SCHEME and the rest as in requantize.sv              norm_scale.sv
//
// Corners: a row of equal codes gives its biases. Rows, weights and biases are such as
// hw_models.integer.norms takes: then nothing overflows. A row has at most 2**ROW_W beats. Of what belongs
// to the whole row, its last beat counts: x_zero_point is each beat's own. GUARD is even, 0 to 8.
//
// Output: a packet of count beats, in the order of the codes. From a row's last beat until its last result
// is in the output register s_axis_tready is low. Reset drops the row and its results.
//
// Latency: 2 * ROOT_BITS + 7 cycles from a row's last beat to its first result. Throughput: one beat and one
// result per cycle, one row at a time.
//
// s_axis_tdata, least significant field first:
//   x             X_W   signed if X_SIGNED
//   x_zero_point  ZX_W  signed
//   weight        W_W   signed
//   bias          32    signed
//   epsilon       62    of the row, and so is all that follows but draw
//   fraction      5     fraction bits of the normalized value
//   then the fields of requantize.sv without acc
// m_axis_tdata: y  OUT_W
module norm #(
    parameter int X_W       = 8,
    parameter int X_SIGNED  = 1,
    parameter int ZX_W      = 9,
    parameter int W_W       = 16,
    parameter int ROW_W     = 8,
    parameter int CENTRED   = 1,
    parameter int ROOT_BITS = 16,
    parameter int GUARD     = 6,
    parameter int ACC_W     = 32,
    parameter int MUL_W     = 32,
    parameter int ZI_W      = 9,
    parameter int OUT_W     = 8,
    parameter int ADD_W     = 32,
    parameter int SCHEME    = 0,
    parameter int ROUNDING  = 0,
    localparam int SCALE_W  = (SCHEME == 2 ? 0 : MUL_W) + (SCHEME == 7 ? ADD_W : 0),
    localparam int DRAW_W   = (SCHEME == 2 || SCHEME == 7) && ROUNDING == 11 ? 64 : 0,
    localparam int OWN_W    = X_W + ZX_W + W_W + 32,
    localparam int END_W    = SCALE_W + 7 + ZI_W + 3 * (OUT_W + 1),
    localparam int S_W      = OWN_W + 62 + 5 + END_W + DRAW_W
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             s_axis_tvalid,
    output logic             s_axis_tready,
    input  logic [  S_W-1:0] s_axis_tdata,
    input  logic             s_axis_tlast,
    output logic             m_axis_tvalid,
    input  logic             m_axis_tready,
    output logic [OUT_W-1:0] m_axis_tdata,
    output logic             m_axis_tlast
);
  localparam logic [2:0] GATHER = 0, VARIANCE = 1, START = 2, INVERT = 3, RESULTS = 4;
  localparam int C_W = (X_W + 1 > ZX_W ? X_W + 1 : ZX_W) + 1;
  localparam int COUNT_W = ROW_W + 1;
  localparam int WORD_W = DRAW_W + 32 + W_W + C_W;  // what is kept of a beat
  localparam int ZERO = X_W;  // lowest bits of the fields
  localparam int WEIGHT = ZERO + ZX_W;
  localparam int EPSILON = OWN_W;
  localparam int FRACTION = EPSILON + 62;
  localparam int END = FRACTION + 5;
  localparam logic [6:0] DIGITS = 7'(2 * ROOT_BITS - 1 - GUARD / 2);

  logic [WORD_W-1:0] row[1<<ROW_W];
  logic [2:0] state;
  logic [COUNT_W-1:0] count, index;
  logic signed [31:0] total, total_next;
  logic [61:0] squares, squares_next, epsilon;
  logic [62:0] variance, found_variance;
  logic [4:0] fraction;
  logic [END_W-1:0] ending;
  logic signed [C_W-1:0] c;
  logic [WORD_W-1:0] written, word;
  logic found, found_last, ready;  // a code that was read from the row, and whether it is taken
  logic done;
  logic [ROOT_BITS:0] reciprocal;
  logic signed [6:0] places;
  logic signed [31:0] acc;
  logic [ACC_W+END_W+DRAW_W-1:0] sum;

  wire taken = s_axis_tvalid && s_axis_tready;
  wire advance = !found || ready;
  wire [COUNT_W-1:0] following = index + COUNT_W'(1);
  wire [6:0] shift = DIGITS - 7'(fraction) - places;
  wire unused = &{1'b0, shift[6]};

  assign s_axis_tready = state == GATHER && !found;

  norm_sums #(
      .X_W(X_W),
      .X_SIGNED(X_SIGNED),
      .ZX_W(ZX_W),
      .CENTRED(CENTRED)
  ) sums (
      .first(count == '0),
      .x(s_axis_tdata[0+:X_W]),
      .x_zero_point(s_axis_tdata[ZERO+:ZX_W]),
      .total(total),
      .squares(squares),
      .c(c),
      .total_next(total_next),
      .squares_next(squares_next)
  );

  norm_variance #(
      .COUNT_W(COUNT_W),
      .GUARD(GUARD)
  ) spread (
      .count(count),
      .total(total),
      .squares(squares),
      .epsilon(epsilon),
      .variance(found_variance)
  );

  norm_inverse #(
      .ROOT_BITS(ROOT_BITS)
  ) inverse (
      .clk(clk),
      .rst(rst),
      .start(state == START),
      .value(variance),
      .done(done),
      .reciprocal(reciprocal),
      .places(places)
  );

  norm_scale #(
      .C_W(C_W),
      .COUNT_W(COUNT_W),
      .ROOT_BITS(ROOT_BITS),
      .W_W(W_W)
  ) scale (
      .c(word[0+:C_W]),
      .count(count),
      .total(total),
      .reciprocal(reciprocal),
      .shift(shift[5:0]),
      .weight(word[C_W+:W_W]),
      .bias(word[C_W+W_W+:32]),
      .acc(acc)
  );

  if (DRAW_W != 0) begin : g_draw
    assign written = {s_axis_tdata[S_W-1-:64], s_axis_tdata[WEIGHT+:W_W+32], c};
    assign sum = {word[WORD_W-1-:64], ending, ACC_W'(acc)};
  end else begin : g_no_draw
    assign written = {s_axis_tdata[WEIGHT+:W_W+32], c};
    assign sum = {ending, ACC_W'(acc)};
  end

  always_ff @(posedge clk) begin
    if (taken) begin
      row[count[ROW_W-1:0]] <= written;
      total <= total_next;
      squares <= squares_next;
      epsilon <= s_axis_tdata[EPSILON+:62];
      fraction <= s_axis_tdata[FRACTION+:5];
      ending <= s_axis_tdata[END+:END_W];
      count <= count + COUNT_W'(1);
      if (s_axis_tlast) state <= VARIANCE;
    end
    if (state == VARIANCE) begin
      variance <= found_variance;
      state <= START;
    end
    if (state == START) state <= INVERT;
    if (state == INVERT && done) begin
      index <= '0;
      state <= RESULTS;
    end
    if (advance) begin
      found <= state == RESULTS;
      found_last <= following == count;
      word <= row[index[ROW_W-1:0]];
      if (state == RESULTS) index <= following;
      if (state == RESULTS && following == count) state <= GATHER;
      if (found && found_last) count <= '0;
    end
    if (rst) begin
      state <= GATHER;
      count <= '0;
      found <= 1'b0;
    end
  end

  requantize #(
      .ACC_W(ACC_W),
      .MUL_W(MUL_W),
      .ZI_W(ZI_W),
      .OUT_W(OUT_W),
      .ADD_W(ADD_W),
      .SCHEME(SCHEME),
      .ROUNDING(ROUNDING)
  ) rescale (
      .clk(clk),
      .rst(rst),
      .s_axis_tvalid(found),
      .s_axis_tready(ready),
      .s_axis_tdata(sum),
      .s_axis_tlast(found_last),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready),
      .m_axis_tdata(m_axis_tdata),
      .m_axis_tlast(m_axis_tlast)
  );
endmodule

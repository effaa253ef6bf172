// Correlation: ROWS x COLUMNS multiply-accumulate lanes; also linear layers and matrix products.
//
// Real meaning: each row is the dot product of one output channel's weights with the inputs under
// the kernel, both as scale * (code - zero point).
//
// Integer formula, for a packet of beats b (tlast ends it), all in exact integers:
//   acc[r] = over b, then c = 0 .. COLUMNS-1, of (x[c] - x_zero_point)
//                                             * (weight[r][c] - weight_zero_point[r])
//   AT 1 (mac): added one by one, the rule of OVERFLOW after every product;
//   AT 0 (sum): added exactly in EXACT_W bits, the rule once, on the whole sum.
//   OVERFLOW 0 wrap (two's complement), 1 saturate, 2 saturate_symmetric (-2**(ACC_W-1) unused).
//
// Corners: the order in which a mac accumulator takes its products is the order of columns and
// beats: the sender lays channels and kernel positions out accordingly. Padding is a code like any
// other. A column that has no product carries x = x_zero_point and adds 0; a row without output
// carries weight = weight_zero_point and gives 0. EXACT_W >= ACC_W must hold every sum of a packet
// at AT 0 (for wrap, EXACT_W = ACC_W is exact).
//
// Latency: 1 cycle from a packet's last beat to its result. Throughput: one beat per cycle; while
// a result waits in the output register the next packet goes on, up to its own last beat.
//
// s_axis_tdata, least significant field first:
//   x                  X_W      x COLUMNS         signed if X_SIGNED
//   weight             W_W      x ROWS * COLUMNS  row r, column c at r * COLUMNS + c
//   x_zero_point       X_W + 1  signed
//   weight_zero_point  W_W + 1  x ROWS            signed
// m_axis_tdata: acc    ACC_W    x ROWS            signed; one beat per packet, tlast = 1
module correlation #(
    parameter int ROWS     = 2,
    parameter int COLUMNS  = 2,
    parameter int X_W      = 8,
    parameter int X_SIGNED = 1,
    parameter int W_W      = 8,
    parameter int W_SIGNED = 1,
    parameter int ACC_W    = 32,
    parameter int OVERFLOW = 0,
    parameter int AT       = 0,
    parameter int EXACT_W  = 32
) (
    input  logic                                                                clk,
    input  logic                                                                rst,
    input  logic                                                                s_axis_tvalid,
    output logic                                                                s_axis_tready,
    input  logic [COLUMNS*X_W + ROWS*COLUMNS*W_W + X_W+1 + ROWS*(W_W+1) - 1:0] s_axis_tdata,
    input  logic                                                                s_axis_tlast,
    output logic                                                                m_axis_tvalid,
    input  logic                                                                m_axis_tready,
    output logic [ROWS*ACC_W-1:0]                                               m_axis_tdata,
    output logic                                                                m_axis_tlast
);
  localparam int PART_W = AT == 1 ? ACC_W : EXACT_W;
  localparam int WEIGHT = COLUMNS * X_W;  // lowest bits of the fields
  localparam int X_ZERO = WEIGHT + ROWS * COLUMNS * W_W;
  localparam int W_ZERO = X_ZERO + X_W + 1;

  logic [ROWS*PART_W-1:0] sums, next;
  logic [ROWS*ACC_W-1:0] acc;
  logic first;

  correlation_core #(
      .ROWS(ROWS),
      .COLUMNS(COLUMNS),
      .X_W(X_W),
      .X_SIGNED(X_SIGNED),
      .W_W(W_W),
      .W_SIGNED(W_SIGNED),
      .ACC_W(ACC_W),
      .OVERFLOW(OVERFLOW),
      .AT(AT),
      .EXACT_W(EXACT_W)
  ) core (
      .partial(first ? '0 : sums),
      .x(s_axis_tdata[0+:COLUMNS*X_W]),
      .weight(s_axis_tdata[WEIGHT+:ROWS*COLUMNS*W_W]),
      .x_zero_point(s_axis_tdata[X_ZERO+:X_W+1]),
      .weight_zero_point(s_axis_tdata[W_ZERO+:ROWS*(W_W+1)]),
      .next(next),
      .acc(acc)
  );

  packet_register #(
      .KEPT_W(ROWS * PART_W),
      .WIDTH(ROWS * ACC_W)
  ) packet (
      .kept(sums),
      .result(acc),
      .*
  );
endmodule

// A cache whose rows are replaced at positions of run time, and read.
//
// Real meaning: keys or values of earlier tokens, a delay line: [OUTER, LENGTH, INNER] codes of one
// scale, in which a new row, [OUTER, INNER] codes, takes the place of the one at its position.
//
// Integer formula, for the k-th code of a new row (k = outer * INNER + inner), in the order in which
// they come:
//   codes[(outer * LENGTH + place) * INNER + inner] = value,
//   place = position, in a ring position mod LENGTH, of 0 .. LENGTH - 1 below 0 too
//
// Corners: of rows with one position the last counts. A linear cache drops a row whose position is
// none of its rows, below 0 or LENGTH and above: it stays as it is. No code changes.
//
// Use: beats {kind, address, value}:
//   0 code      codes[address] = value: what the cache begins with
//   1 register  address 0: LENGTH; 1: INNER; 2: size of all, less 1; 3: 1 for a ring
//   2 position  value, signed: of the row that follows
//   3 row       its next code
//   4 START     all codes come out, in order of addresses
// Codes and registers keep what they hold, also over reset: a next step needs its positions, its rows
// and START.
//
// Output: one code per beat; tlast with the last one. While codes come out s_axis_tready is low. tlast
// of the input is not read. Reset drops what is under way.
//
// Throughput: one beat written per cycle, one code read per cycle. Latency: 1 cycle from START to the
// first code. A position is divided in its own cycle: POSITION_W subtractors deep.
//
// s_axis_tdata, least significant field first: kind[3], address[ADDRESS_W], value[VALUE_W]
//   VALUE_W holds a code, a position of POSITION_W bits and a size of ADDRESS_W + 1 bits.
// m_axis_tdata: y  CODE_W
module cache_write #(
    parameter int CODE_W     = 8,
    parameter int ADDRESS_W  = 12,
    parameter int POSITION_W = 24,
    parameter int VALUE_W    = 24
) (
    input  logic                         clk,
    input  logic                         rst,
    input  logic                         s_axis_tvalid,
    output logic                         s_axis_tready,
    input  logic [VALUE_W+ADDRESS_W+2:0] s_axis_tdata,
    input  logic                         s_axis_tlast,
    output logic                         m_axis_tvalid,
    input  logic                         m_axis_tready,
    output logic [           CODE_W-1:0] m_axis_tdata,
    output logic                         m_axis_tlast
);
  localparam logic [2:0] CODE = 0, REGISTER = 1, POSITION = 2, ROW = 3, START = 4;
  localparam int SIZE_W = ADDRESS_W + 1;
  logic [CODE_W-1:0] codes[1<<ADDRESS_W];
  logic [SIZE_W-1:0] length, inner;
  logic [ADDRESS_W-1:0] last;
  logic ring;

  logic [2:0] kind;
  logic [ADDRESS_W-1:0] at;
  logic [VALUE_W-1:0] value;
  assign {value, at, kind} = s_axis_tdata;
  wire unused = &{1'b0, s_axis_tlast, value};

  // Below 0 the place is that of -1 - position, counted from the last row.
  wire below = value[POSITION_W-1];
  wire [POSITION_W-1:0] distance = below ? ~value[POSITION_W-1:0] : value[POSITION_W-1:0];
  wire [POSITION_W-1:0] rounds;
  wire [SIZE_W-1:0] rest;
  wire [SIZE_W-1:0] place = below ? length - rest - SIZE_W'(1) : rest;
  wire [SIZE_W+ADDRESS_W-1:0] first = (SIZE_W + ADDRESS_W)'(place) * (SIZE_W + ADDRESS_W)'(inner);
  wire [SIZE_W+ADDRESS_W-1:0] pitch = (SIZE_W + ADDRESS_W)'(length) * (SIZE_W + ADDRESS_W)'(inner);
  wire unused_high = &{1'b0, first[SIZE_W+ADDRESS_W-1:ADDRESS_W],
                       pitch[SIZE_W+ADDRESS_W-1:ADDRESS_W]};

  quotient #(
      .A_W(POSITION_W),
      .B_W(SIZE_W),
      .DIGITS(POSITION_W)
  ) divide (
      .a(distance),
      .b(length),
      .quotient(rounds),
      .rest(rest)
  );

  logic kept;  // the row has a place
  logic [ADDRESS_W-1:0] start, along, index;  // of the row's part, in it, of what comes out
  wire part_ends = SIZE_W'(along) + SIZE_W'(1) == inner;
  logic counting;
  wire advance = !m_axis_tvalid || m_axis_tready;
  wire write = s_axis_tvalid && s_axis_tready && !rst;

  assign s_axis_tready = !counting;

  always_ff @(posedge clk) begin
    if (write && kind == CODE) codes[at] <= value[CODE_W-1:0];
    if (write && kind == REGISTER) begin
      if (at[1:0] == 2'd0) length <= value[SIZE_W-1:0];
      if (at[1:0] == 2'd1) inner <= value[SIZE_W-1:0];
      if (at[1:0] == 2'd2) last <= value[ADDRESS_W-1:0];
      if (at[1:0] == 2'd3) ring <= value[0];
    end
    if (write && kind == POSITION) begin
      kept  <= ring || (!below && rounds == '0);
      start <= first[ADDRESS_W-1:0];
      along <= '0;
    end
    if (write && kind == ROW) begin
      if (kept) codes[start+along] <= value[CODE_W-1:0];
      along <= part_ends ? '0 : along + ADDRESS_W'(1);
      if (part_ends) start <= start + pitch[ADDRESS_W-1:0];
    end
  end

  always_ff @(posedge clk) begin
    if (advance) begin
      m_axis_tvalid <= counting;
      m_axis_tlast  <= index == last;
      m_axis_tdata  <= codes[index];
      if (counting) begin
        index <= index + ADDRESS_W'(1);
        counting <= index != last;
      end
    end
    if (write && kind == START) begin
      index <= '0;
      counting <= 1'b1;
    end
    if (rst) begin
      counting <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end
  end
endmodule

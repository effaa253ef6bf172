// Moves of codes: a tensor is written into a memory and read in another order.
//
// Real meaning: strided slice (a part, every n-th, backward, one element many times), permutation of
// dimensions, gather at constant positions along one dimension, rows of a table (an embedding) at
// positions that are written before each read. No code changes.
//
// Integer formula, for each index (i_0, ..., i_last) of the result, in C order:
//   y = codes[(base + sum over d of k_d * stride[d]) mod 2**ADDRESS_W]
//   k_d = positions[i_d] where d is the gathered dimension, i_d elsewhere
//
// Corners: strides are taken mod 2**ADDRESS_W: two's complement where they are below zero. A size is 1
// or more and at most 2**ADDRESS_W, along the gathered dimension at most 2**TABLE_W. A result of fewer
// dimensions has sizes of 1 in the others.
//
// Use: beats {kind, address, value} in any order but for START, which comes last:
//   0 code       codes[address] = value
//   1 position   positions[address] = value
//   2 register   address d: size of dimension d, less 1; DIMENSIONS + d: its stride;
//                2 * DIMENSIONS: base; 2 * DIMENSIONS + 1: the gathered dimension, DIMENSIONS for none
//   3 START      the results come out
// Codes, positions and registers keep what they hold, also over reset: the next tensor of the same shape
// needs only its codes and START. What was never written is not known.
//
// Output: one code per beat; tlast with the last one. While results come out s_axis_tready is low; it
// rises when the last code is in the output register. tlast of the input is not read. Reset drops what
// is under way.
//
// Throughput: one beat written per cycle; one code per cycle. Latency: 3 cycles from START to the first
// code: the counters, the table and the memory have a register each.
//
// s_axis_tdata, least significant field first: kind[2], address[ADDRESS_W], value[VALUE_W]
//   VALUE_W holds a code and an address: the wider of CODE_W and ADDRESS_W. ADDRESS_W is at least TABLE_W
//   and REGISTER_W. Of an address the low bits count that the memory, the table (TABLE_W) or the
//   registers (REGISTER_W) have; of the gathered dimension the low PICK_W bits.
// m_axis_tdata: y  CODE_W
module move #(
    parameter int CODE_W     = 8,
    parameter int ADDRESS_W  = 16,
    parameter int TABLE_W    = 8,
    parameter int DIMENSIONS = 6,
    parameter int VALUE_W    = 16
) (
    input  logic                         clk,
    input  logic                         rst,
    input  logic                         s_axis_tvalid,
    output logic                         s_axis_tready,
    input  logic [VALUE_W+ADDRESS_W+1:0] s_axis_tdata,
    input  logic                         s_axis_tlast,
    output logic                         m_axis_tvalid,
    input  logic                         m_axis_tready,
    output logic [           CODE_W-1:0] m_axis_tdata,
    output logic                         m_axis_tlast
);
  localparam logic [1:0] CODE = 0, POSITION = 1, REGISTER = 2, START = 3;
  localparam int INDEX_W = DIMENSIONS * ADDRESS_W;
  localparam int REGISTER_W = $clog2(2 * DIMENSIONS + 2);
  localparam int PICK_W = $clog2(DIMENSIONS + 1);
  logic [CODE_W-1:0] codes[1<<ADDRESS_W];
  logic [ADDRESS_W-1:0] positions[1<<TABLE_W];
  logic [INDEX_W-1:0] lasts, strides;
  logic [ADDRESS_W-1:0] base;
  logic [PICK_W-1:0] gathered;

  logic [1:0] kind;
  logic [ADDRESS_W-1:0] at;
  logic [VALUE_W-1:0] value;
  assign {value, at, kind} = s_axis_tdata;
  wire [REGISTER_W-1:0] register = at[REGISTER_W-1:0];
  wire unused = &{1'b0, s_axis_tlast, value};

  logic counting, ending;  // an index is there; it is the last one
  logic [INDEX_W-1:0] index, next;
  logic found, found_last;  // an index that went through the table
  logic [INDEX_W-1:0] passed, taken;
  logic [TABLE_W-1:0] looked_up;
  logic [ADDRESS_W-1:0] entry, address;
  wire advance = !m_axis_tvalid || m_axis_tready;
  wire write = s_axis_tvalid && s_axis_tready && !rst;

  assign s_axis_tready = !counting && !found;

  always_ff @(posedge clk) begin
    if (write && kind == CODE) codes[at] <= value[CODE_W-1:0];
    if (write && kind == POSITION) positions[at[TABLE_W-1:0]] <= value[ADDRESS_W-1:0];
    if (write && kind == REGISTER) begin
      for (int d = 0; d < DIMENSIONS; d++) begin
        if (register == REGISTER_W'(d)) lasts[d*ADDRESS_W+:ADDRESS_W] <= value[ADDRESS_W-1:0];
        if (register == REGISTER_W'(DIMENSIONS + d))
          strides[d*ADDRESS_W+:ADDRESS_W] <= value[ADDRESS_W-1:0];
      end
      if (register == REGISTER_W'(2 * DIMENSIONS)) base <= value[ADDRESS_W-1:0];
      if (register == REGISTER_W'(2 * DIMENSIONS + 1)) gathered <= value[PICK_W-1:0];
    end
  end

  move_counters #(
      .COUNT_W(ADDRESS_W),
      .DIMENSIONS(DIMENSIONS)
  ) counters (
      .index(index),
      .lasts(lasts),
      .next(next),
      .ending(ending)
  );

  always_comb begin
    looked_up = '0;
    taken = passed;
    for (int d = 0; d < DIMENSIONS; d++)
      if (gathered == PICK_W'(d)) begin
        looked_up = index[d*ADDRESS_W+:TABLE_W];
        taken[d*ADDRESS_W+:ADDRESS_W] = entry;
      end
  end

  move_address #(
      .ADDRESS_W(ADDRESS_W),
      .DIMENSIONS(DIMENSIONS)
  ) place (
      .base(base),
      .index(taken),
      .strides(strides),
      .address(address)
  );

  always_ff @(posedge clk) begin
    if (advance) begin
      found <= counting;
      found_last <= ending;
      passed <= index;
      entry <= positions[looked_up];
      m_axis_tvalid <= found;
      m_axis_tlast <= found_last;
      m_axis_tdata <= codes[address];
      if (counting) begin
        index <= next;
        counting <= !ending;
      end
    end
    if (write && kind == START) begin
      index <= '0;
      counting <= 1'b1;
    end
    if (rst) begin
      counting <= 1'b0;
      found <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end
  end
endmodule

// From tiles of sums to codes, for conv_engine.sv: bias_add.sv and requantize.sv, one sum a cycle.
//
// Each channel has one word (kind CHANNEL, address: the channel), least significant field first:
// multiplier[MUL_W] (not in SCHEME 2), addend[ADD_W] (SCHEME 7 only), shift[7], bias[BIAS_W]. It is
// read while its sum waits.
// m_last goes with the layer's last code.
module conv_codes #(
    parameter int ROWS      = 2,
    parameter int ACC_W     = 32,
    parameter int BIAS_ADD  = 1,
    parameter int BIAS_W    = 32,
    parameter int SUM_W     = 32,
    parameter int SUM_RULE  = 0,
    parameter int MUL_W     = 32,
    parameter int ZI_W      = 9,
    parameter int OUT_W     = 8,
    parameter int ADD_W     = 48,
    parameter int SCHEME    = 0,
    parameter int ROUNDING  = 0,
    parameter int C_DEPTH   = 256,
    parameter int ADDRESS_W = 24,
    parameter int VALUE_W   = 96,
    localparam int BEAT_W   = 3 + ADDRESS_W + VALUE_W
) (
    input  logic                      clk,
    input  logic                      rst,
    input  logic                      start,
    input  logic [conv_pkg::BITS-1:0] registers,
    input  logic                      write,
    input  logic [        BEAT_W-1:0] beat,
    input  logic                      s_valid,
    output logic                      s_ready,
    input  logic [    ROWS*ACC_W-1:0] s_sums,
    output logic                      m_valid,
    input  logic                      m_ready,
    output logic [         OUT_W-1:0] m_code,
    output logic                      m_last
);
  localparam int SCALE_W = (SCHEME == 2 ? 0 : MUL_W) + (SCHEME == 7 ? ADD_W : 0) + 7;
  localparam int WORD_W = SCALE_W + BIAS_W;
  localparam int FULL_W = BIAS_ADD != 0 ? SUM_W : ACC_W;  // what requantize takes

  logic drained, drained_ready, drained_last;  // a sum and the number of its channel
  logic read, read_ready, read_last;  // a sum and its channel's word
  logic full, full_ready, full_last;  // a sum with its bias, and what remains of the word
  logic [ACC_W-1:0] drained_sum, read_sum;
  logic [ADDRESS_W-1:0] channel;
  logic [WORD_W-1:0] word;
  logic [FULL_W-1:0] full_sum;
  logic [SCALE_W-1:0] scale;
  wire unused = &{1'b0, registers};

  conv_drain #(
      .ROWS(ROWS),
      .ACC_W(ACC_W),
      .ADDRESS_W(ADDRESS_W)
  ) drain (
      .clk(clk),
      .rst(rst),
      .start(start),
      .registers(registers),
      .s_valid(s_valid),
      .s_ready(s_ready),
      .s_sums(s_sums),
      .m_valid(drained),
      .m_ready(drained_ready),
      .m_sum(drained_sum),
      .m_channel(channel),
      .m_last(drained_last)
  );

  stream_register #(
      .WIDTH(ACC_W)
  ) read_register (
      .clk(clk),
      .rst(rst),
      .s_axis_tvalid(drained),
      .s_axis_tready(drained_ready),
      .s_axis_tdata(drained_sum),
      .s_axis_tlast(drained_last),
      .m_axis_tvalid(read),
      .m_axis_tready(read_ready),
      .m_axis_tdata(read_sum),
      .m_axis_tlast(read_last)
  );

  conv_memory #(
      .KIND(conv_pkg::CHANNEL),
      .WIDTH(WORD_W),
      .DEPTH(C_DEPTH),
      .ADDRESS_W(ADDRESS_W),
      .VALUE_W(VALUE_W)
  ) channel_memory (
      .clk(clk),
      .write(write),
      .beat(beat),
      .read(drained_ready),
      .read_address(channel),
      .read_data(word)
  );

  if (BIAS_ADD != 0) begin : g_bias
    // bias_add holds a sum in one register; this is the register beside it.
    always_ff @(posedge clk) if (read_ready) scale <= word[SCALE_W-1:0];

    bias_add #(
        .ACC_W(ACC_W),
        .BIAS_W(BIAS_W),
        .SUM_W(SUM_W),
        .OVERFLOW(SUM_RULE)
    ) bias (
        .clk(clk),
        .rst(rst),
        .s_axis_tvalid(read),
        .s_axis_tready(read_ready),
        .s_axis_tdata({word[SCALE_W+:BIAS_W], read_sum}),
        .s_axis_tlast(read_last),
        .m_axis_tvalid(full),
        .m_axis_tready(full_ready),
        .m_axis_tdata(full_sum),
        .m_axis_tlast(full_last)
    );

    if (SUM_RULE < 0 || SUM_RULE > 2) begin : g_refused
      SUM_RULE_must_be_0_to_2 refused ();
    end
  end else begin : g_no_bias
    wire unused_bias = &{1'b0, word};
    assign full = read;
    assign full_sum = read_sum;
    assign full_last = read_last;
    assign read_ready = full_ready;
    assign scale = word[SCALE_W-1:0];
  end

  requantize #(
      .ACC_W(FULL_W),
      .MUL_W(MUL_W),
      .ZI_W(ZI_W),
      .OUT_W(OUT_W),
      .ADD_W(ADD_W),
      .SCHEME(SCHEME),
      .ROUNDING(ROUNDING)
  ) requantizer (
      .clk(clk),
      .rst(rst),
      .s_axis_tvalid(full),
      .s_axis_tready(full_ready),
      .s_axis_tdata({
        registers[conv_pkg::HIGH+:OUT_W+1],
        registers[conv_pkg::LOW+:OUT_W+1],
        registers[conv_pkg::ZERO_POINT+:OUT_W+1],
        registers[conv_pkg::INPUT_ZERO_POINT+:ZI_W],
        scale,
        full_sum
      }),
      .s_axis_tlast(full_last),
      .m_axis_tvalid(m_valid),
      .m_axis_tready(m_ready),
      .m_axis_tdata(m_code),
      .m_axis_tlast(m_last)
  );
endmodule

// What softmax.sv must do with its rows, as a scoreboard: proved by induction (qsim prove softmax).
//
// Its arithmetic, which has proofs of its own, is left open here: exponential, quotient and softmax_core are
// any functions of their inputs, the same ones in the module and here. ok in every cycle after a reset means:
// of a row of n codes each result comes out once, in order, tlast with the last one, and is the
// softmax_core of its term and of the quotient of 2**32 and the sum of all terms, a term being the shifted
// exponential of a shown code less the largest shown one; the first result comes n + 2 cycles after the row's
// last beat, each later one when the one before is taken; no beat is taken in between; a result that waits
// stays. A row has at most 2**LENGTH_W codes: the last of so many ends it.
//
// `place` is where the next beat of a row goes; `open` says that a row waits for results that are not in the
// output register yet, `at` which one is next, `spent` for how many cycles. The invariant is made of these
// and of what is held (qsim/formal/rows/softmax.py).
(* smtlib2_module *)
module exponential (
    input signed [16:0] x,
    input signed [5:0] left_shift,
    input [12:0] ln2,
    input [14:0] b,
    input [27:0] one,
    (* smtlib2_comb_expr = "(exponential x left_shift ln2 b one)" *)
    output signed [29:0] value
);
endmodule

(* smtlib2_module *)
module quotient #(
    parameter int A_W    = 33,
    parameter int B_W    = 31,
    parameter int DIGITS = 33
) (
    input [A_W-1:0] a,
    input [B_W-1:0] b,
    (* smtlib2_comb_expr = "(quotient a b)" *)
    output [DIGITS-1:0] quotient,
    (* smtlib2_comb_expr = "(rest a b)" *)
    output [B_W-1:0] rest
);
endmodule

(* smtlib2_module *)
module softmax_core #(
    parameter int OUT_W   = 2,
    parameter int HALF_UP = 1
) (
    input [15:0] term,
    input [32:0] factor,
    input signed [OUT_W:0] low,
    input signed [OUT_W:0] high,
    (* smtlib2_comb_expr = "(share term factor low high)" *)
    output [OUT_W-1:0] y
);
endmodule

module softmax_formal #(
    parameter int IN_W      = 3,
    parameter int IN_SIGNED = 1,
    parameter int OUT_W     = 2,
    parameter int HALF_UP   = 1,
    parameter int LENGTH_W  = 2,
    localparam int N_W      = 66 + 2 * (OUT_W + 1),
    localparam int S_W      = IN_W + N_W + 1
) (
    input  logic                         clk,
    input  logic                         rst,
    input  logic                         s_axis_tvalid,
    input  logic [              S_W-1:0] s_axis_tdata,
    input  logic                         s_axis_tlast,
    input  logic                         m_axis_tready,
    output logic                         ok,
    output logic [           LENGTH_W:0] place,
    output logic                         open,
    output logic [           LENGTH_W:0] count,
    output logic [           LENGTH_W:0] at,
    output logic [           LENGTH_W:0] spent,
    output logic [ IN_W*2**LENGTH_W-1:0] codes,
    output logic [      2**LENGTH_W-1:0] marks,
    output logic [              N_W-1:0] numbers,
    output logic signed [        IN_W:0] largest,
    output logic                         any,
    output logic [   16*2**LENGTH_W-1:0] terms,
    output logic [31*2**LENGTH_W+30 : 0] sums,
    output logic [                 32:0] factor
);
  localparam int MOST = 1 << LENGTH_W;
  localparam int L = LENGTH_W + 1;
  wire s_axis_tready, m_axis_tvalid, m_axis_tlast;
  wire [OUT_W-1:0] m_axis_tdata;
  wire ends = s_axis_tlast || place == L'(MOST - 1);

  softmax #(
      .IN_W(IN_W),
      .IN_SIGNED(IN_SIGNED),
      .OUT_W(OUT_W),
      .HALF_UP(HALF_UP),
      .LENGTH_W(LENGTH_W)
  ) dut (
      .s_axis_tlast(ends),
      .*
  );

  logic whole, waited, due;
  logic [LENGTH_W:0] head;
  logic [OUT_W:0] offered;
  wire accepted = s_axis_tvalid && s_axis_tready && !rst;
  wire fresh = m_axis_tvalid && !waited;  // a result that came in this cycle
  wire gives = spent > count;

  assign at = fresh ? head + L'(1) : head;
  assign open = whole && at != count;
  assign place = whole && !open ? '0 : count;

  // The definition, over what is held: `sums` has the sum of the terms before each place, and that of all.
  logic signed [IN_W:0] code[MOST];
  logic [MOST-1:0] counts;
  wire [16*MOST-1:0] term;
  for (genvar i = 0; i < MOST; i++) begin : g_code
    wire signed [29:0] value;
    wire [29:0] shifted = value >> numbers[65:62];
    assign code[i] = {IN_SIGNED != 0 && codes[i*IN_W+IN_W-1], codes[i*IN_W+:IN_W]};
    assign counts[i] = marks[i] && L'(i) < count;
    exponential exp (
        .x(17'(code[i]) - 17'(largest)),
        .left_shift(numbers[5:0]),
        .ln2(numbers[18:6]),
        .b(numbers[33:19]),
        .one(numbers[61:34]),
        .value(value)
    );
    assign terms[16*i+:16] = counts[i] ? shifted[15:0] : 16'd0;
    assign sums[31*i+31+:31] = sums[31*i+:31] + {15'b0, terms[16*i+:16]};
  end
  assign sums[30:0] = '0;
  assign any = |counts;
  always_comb begin
    largest = {1'b1, {IN_W{1'b0}}};
    for (int i = 0; i < MOST; i++) if (counts[i] && code[i] > largest) largest = code[i];
  end

  wire [30:0] rest;
  quotient #(
      .A_W(33),
      .B_W(31),
      .DIGITS(33)
  ) divide (
      .a(33'h100000000),
      .b(any ? sums[31*MOST+:31] : 31'd1),
      .quotient(factor),
      .rest(rest)
  );

  wire [OUT_W-1:0] expected;
  logic [15:0] chosen;
  always_comb begin
    chosen = '0;
    for (int i = 0; i < MOST; i++) if (head == L'(i)) chosen = terms[16*i+:16];
  end
  softmax_core #(
      .OUT_W(OUT_W),
      .HALF_UP(HALF_UP)
  ) core (
      .term(chosen),
      .factor(factor),
      .low(numbers[66+:OUT_W+1]),
      .high(numbers[67+OUT_W+:OUT_W+1]),
      .y(expected)
  );

  always_ff @(posedge clk) begin
    count <= place;
    whole <= open;
    if (accepted) begin
      for (int i = 0; i < MOST; i++)
      if (place == L'(i)) begin
        codes[i*IN_W+:IN_W] <= s_axis_tdata[0+:IN_W];
        marks[i] <= s_axis_tdata[S_W-1];
      end
      numbers <= s_axis_tdata[IN_W+:N_W];
      count <= place + L'(1);
      whole <= ends;
    end
    head <= open ? at : '0;
    spent <= !open ? '0 : gives ? spent : spent + L'(1);
    waited <= m_axis_tvalid && !m_axis_tready;
    offered <= {m_axis_tlast, m_axis_tdata};
    due <= open && gives && (!m_axis_tvalid || m_axis_tready);
    if (rst) begin
      count  <= '0;
      whole  <= 1'b0;
      head   <= '0;
      spent  <= '0;
      waited <= 1'b0;
      due    <= 1'b0;
    end
  end

  wire right = !fresh || (whole && gives && head < count
      && m_axis_tlast == (head + L'(1) == count) && m_axis_tdata == expected);
  wire stable = !waited || (m_axis_tvalid && {m_axis_tlast, m_axis_tdata} == offered);
  wire room = s_axis_tready == !open;
  wire timely = fresh == due;
  assign ok = right && stable && room && timely;
endmodule

// Softmax of rows of codes, or of those that a mask shows: probabilities that add up to about 1.
//
// Real meaning: y ~ exp(x) / sum(exp(x)) over what a row shows, a step of 2**-OUT_W, low being 0.
//
// Integer formula, over a row (a packet), e that of I-BERT's exponential.sv; max and sum of what is
// shown, and term = 0 of what is not:
//   term = floor(e(x - max(x)) / 2**drop), total = sum(term), factor = floor(2**32 / total)
//   y = min(low + floor((term * factor + nudge) / 2**(32 - OUT_W)), high), see softmax_core.sv
//
// Corners: a row has at most 2**LENGTH_W codes. drop leaves `one` 16 bits, or is 0; total fits 31
// bits (hw_models refuses longer rows). The zero point of x cancels. All beats of a row have the
// same numbers; those of its last one count. A hidden code, whatever it is, changes nothing, and its
// y is low, as is every y of a row that shows none. Reset drops the row that has begun.
//
// Timing: a row of n codes takes n beats, n cycles of exponentials, one of the division (33 digits
// deep, with a cycle of its own) and n results; no beat is taken until the last result is.
//
// s_axis_tdata, least significant field first:
//   x           IN_W       signed if IN_SIGNED, at most 16
//   left_shift  6          signed
//   ln2         13
//   b           15
//   one         28
//   drop        4
//   low, high   OUT_W + 1  signed, each
//   shown       1          0: x is hidden
// m_axis_tdata: y  OUT_W   signed or not, as low and high say; tlast ends the row.
module softmax #(
    parameter int IN_W      = 8,
    parameter int IN_SIGNED = 1,
    parameter int OUT_W     = 8,
    parameter int HALF_UP   = 1,
    parameter int LENGTH_W  = 10,
    localparam int N_W      = 66 + 2 * (OUT_W + 1),
    localparam int S_W      = IN_W + N_W + 1
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
  typedef enum logic [1:0] {
    FILL,
    ADD,
    DIVIDE,
    GIVE
  } step_t;

  step_t step;
  logic [IN_W-1:0] codes[1<<LENGTH_W];
  logic shown[1<<LENGTH_W];
  logic [15:0] terms[1<<LENGTH_W];
  logic [LENGTH_W-1:0] index, last;
  logic signed [IN_W:0] top;
  logic found;  // a shown code of the row
  logic [N_W-1:0] numbers;
  logic [30:0] total;
  logic [32:0] factor;

  wire [IN_W-1:0] code = s_axis_tdata[0+:IN_W];
  wire signed [IN_W:0] entering = {IN_SIGNED != 0 && code[IN_W-1], code};
  wire entering_shown = s_axis_tdata[S_W-1];
  wire taken = s_axis_tvalid && s_axis_tready;
  wire above = index == '0 || !found || entering > top;
  wire [IN_W-1:0] held = codes[index];
  wire signed [IN_W:0] leaving = {IN_SIGNED != 0 && held[IN_W-1], held};
  wire signed [29:0] value;
  wire [29:0] shifted = value >> numbers[65:62];
  wire [15:0] term = shown[index] ? shifted[15:0] : '0;
  wire [30:0] divisor = step == DIVIDE && found ? total : 31'b1;
  wire [32:0] quotient;
  wire [30:0] rest;
  wire [OUT_W-1:0] y;
  wire free = !m_axis_tvalid || m_axis_tready;
  wire at_end = index == last;
  wire unused = &{1'b0, shifted[29:16], rest};

  exponential exp (
      .x(17'(leaving) - 17'(top)),
      .left_shift(numbers[5:0]),
      .ln2(numbers[18:6]),
      .b(numbers[33:19]),
      .one(numbers[61:34]),
      .value(value)
  );

  quotient #(
      .A_W(33),
      .B_W(31),
      .DIGITS(33)
  ) divide (
      .a(33'h100000000),
      .b(divisor),
      .quotient(quotient),
      .rest(rest)
  );

  softmax_core #(
      .OUT_W(OUT_W),
      .HALF_UP(HALF_UP)
  ) core (
      .term(terms[index]),
      .factor(factor),
      .low(numbers[66+:OUT_W+1]),
      .high(numbers[67+OUT_W+:OUT_W+1]),
      .y(y)
  );

  assign s_axis_tready = step == FILL;

  always_ff @(posedge clk) begin
    if (taken) begin
      codes[index] <= code;
      shown[index] <= entering_shown;
      numbers <= s_axis_tdata[IN_W+:N_W];
      last <= index;
      found <= entering_shown || (index != '0 && found);
      if (entering_shown && above) top <= entering;
    end
    if (step == ADD) begin
      terms[index] <= term;
      total <= index == '0 ? {15'b0, term} : total + {15'b0, term};
    end
    if (step == DIVIDE) factor <= quotient;
    if (free) begin
      m_axis_tdata <= y;
      m_axis_tlast <= at_end;
    end
    if (rst) begin
      step <= FILL;
      index <= '0;
      m_axis_tvalid <= 1'b0;
    end else begin
      if (free) m_axis_tvalid <= step == GIVE;
      case (step)
        FILL:
        if (taken) begin
          index <= s_axis_tlast ? '0 : index + LENGTH_W'(1);
          if (s_axis_tlast) step <= ADD;
        end
        ADD: begin
          index <= at_end ? '0 : index + LENGTH_W'(1);
          if (at_end) step <= DIVIDE;
        end
        DIVIDE: step <= GIVE;
        default:
        if (free) begin
          index <= at_end ? '0 : index + LENGTH_W'(1);
          if (at_end) step <= FILL;
        end
      endcase
    end
  end
endmodule

// What one beat adds to ROWS sums: COLUMNS products a row. Pure; correlation.sv keeps the sums.
//
// Real meaning: with real = scale * (code - zero point), one step of a dot product per row.
//
// Integer formula, row r, columns c in ascending order, every difference and product exact:
//   product[r][c] = (x[c] - x_zero_point) * (weight[r][c] - weight_zero_point[r])
//   AT 1 (mac): value = rule(value + product[r][c]) for c = 0, 1, ...; next = acc = value
//   AT 0 (sum): next = partial[r] + sum over c of product[r][c];       acc = rule(next)
//   rule, into ACC_W bits: OVERFLOW 0 wrap, 1 saturate, 2 saturate to -(2**(ACC_W-1) - 1) below.
//
// Corners: at AT 0, `next` has EXACT_W >= ACC_W bits and the caller sees to it that no sum of a
// packet needs more; for wrap, EXACT_W = ACC_W is exact, as the ring modulo 2**ACC_W is all that
// remains. The longest path is a multiplier and COLUMNS adders (and rules, at AT 1) in a row.
//
// partial and next: ROWS fields of (AT 1 ? ACC_W : EXACT_W) bits; others as in correlation.sv.
module correlation_core #(
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
    input  logic [ROWS*(AT==1 ? ACC_W : EXACT_W)-1:0] partial,
    input  logic [                   COLUMNS*X_W-1:0] x,
    input  logic [              ROWS*COLUMNS*W_W-1:0] weight,
    input  logic [                             X_W:0] x_zero_point,
    input  logic [                  ROWS*(W_W+1)-1:0] weight_zero_point,
    output logic [ROWS*(AT==1 ? ACC_W : EXACT_W)-1:0] next,
    output logic [                    ROWS*ACC_W-1:0] acc
);
  localparam int PART_W = AT == 1 ? ACC_W : EXACT_W;
  // An unsigned code less a zero point of one bit more reaches +-(2**(width+1) - 1).
  localparam int DX_W = X_W + 2;
  localparam int DW_W = W_W + 2;
  localparam int P_W = DX_W + DW_W;
  localparam int STEP_W = AT == 1 ? (ACC_W > P_W ? ACC_W : P_W) + 1 : EXACT_W;
  localparam logic signed [ACC_W-1:0] HIGH = {1'b0, {(ACC_W - 1) {1'b1}}};
  localparam logic signed [ACC_W-1:0] LOW =
      {1'b1, {(ACC_W - 1) {1'b0}}} | ACC_W'(OVERFLOW == 2 ? 1 : 0);

  function automatic logic signed [ACC_W-1:0] rule(input logic signed [STEP_W-1:0] value);
    if (OVERFLOW != 0 && value > STEP_W'(HIGH)) rule = HIGH;
    else if (OVERFLOW != 0 && value < STEP_W'(LOW)) rule = LOW;
    else rule = ACC_W'(value);
  endfunction

  // Functions, so that a simulator works a beat out once, not net by net.
  function automatic logic [COLUMNS*DX_W-1:0] differences(input logic [COLUMNS*X_W-1:0] codes,
                                                          input logic [X_W:0] point);
    logic [X_W-1:0] code;
    for (int c = 0; c < COLUMNS; c++) begin
      code = codes[c*X_W+:X_W];
      differences[c*DX_W+:DX_W] = {{2{X_SIGNED != 0 && code[X_W-1]}}, code} - {point[X_W], point};
    end
  endfunction

  function automatic logic signed [PART_W-1:0] row(
      input logic signed [PART_W-1:0] held, input logic [COLUMNS*DX_W-1:0] dx,
      input logic [COLUMNS*W_W-1:0] codes, input logic [W_W:0] point);
    logic [W_W-1:0] code;
    logic signed [DW_W-1:0] dw;
    logic signed [STEP_W-1:0] product;
    row = held;
    for (int c = 0; c < COLUMNS; c++) begin
      code = codes[c*W_W+:W_W];
      dw = {{2{W_SIGNED != 0 && code[W_W-1]}}, code} - {point[W_W], point};
      product = STEP_W'($signed(dx[c*DX_W+:DX_W])) * STEP_W'(dw);
      if (AT == 1) row = PART_W'(rule(STEP_W'(row) + product));
      else row = row + PART_W'(product);
    end
  endfunction

  wire [COLUMNS*DX_W-1:0] dx = differences(x, x_zero_point);

  for (genvar r = 0; r < ROWS; r++) begin : g_row
    wire signed [PART_W-1:0] value = row(
        partial[r*PART_W+:PART_W],
        dx,
        weight[r*COLUMNS*W_W+:COLUMNS*W_W],
        weight_zero_point[r*(W_W+1)+:W_W+1]
    );
    assign next[r*PART_W+:PART_W] = value;
    if (AT == 1) begin : g_mac
      assign acc[r*ACC_W+:ACC_W] = value;
    end else begin : g_sum
      assign acc[r*ACC_W+:ACC_W] = rule(value);
    end
  end

  if (OVERFLOW < 0 || OVERFLOW > 2) begin : g_refused
    OVERFLOW_must_be_0_to_2 refused ();
  end
  if (AT < 0 || AT > 1) begin : g_refused_at
    AT_must_be_0_or_1 refused ();
  end
endmodule

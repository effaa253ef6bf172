// bias_add of 16-bit operands, one or more at a time, right (FAULT = 0) or wrong in one way each.
// Sums come one cycle after their operands, in 24 bits. NEAR spoils one sum in 64 as well.
module biased (clk, rst_n, in_valid, acc, bias, out_valid, sum);
  parameter LANES = 1;
  parameter FAULT = 0;
  parameter NEAR = 0;
  localparam LATE = 1, MIRRORED = 2, BYTES = 3, ABSOLUTE = 4, UNSIGNED = 5, CONSTANT = 6,
      BIAS_LATE = 7, BIAS_OF_SET_BEFORE = 8, BIAS_STAYS = 9, ACC_BYTES = 10, ACC_MIRRORED = 11,
      OFF_BY_ONE = 12, LATE_BY_THREE = 13, SILENT = 14, BIAS_BYTES = 15;
  input clk, rst_n, in_valid;
  input [LANES*16-1:0] acc, bias;
  output out_valid;
  output [LANES*24-1:0] sum;

  reg valid, fresh;
  reg [LANES*24-1:0] made, held, older, oldest;
  reg [15:0] current, earlier, used, kept;
  reg signed [15:0] a, b;
  reg signed [23:0] s;
  integer k;
  assign out_valid = valid && FAULT != SILENT;
  assign sum = FAULT == LATE ? held : FAULT == LATE_BY_THREE ? oldest : made;

  always @(posedge clk)
    if (!rst_n) begin
      valid <= 1'b0;
      fresh <= 1'b1;
      {current, earlier, used, kept} <= 64'b0;
      {made, held, older, oldest} <= 0;
    end else begin
      valid <= in_valid;
      if (in_valid) begin
        fresh <= 1'b0;
        if (fresh) kept <= bias[15:0];
        used <= bias[15:0];
        if (bias[15:0] != current) begin
          current <= bias[15:0];
          earlier <= current;
        end
        held <= made;
        older <= held;
        oldest <= older;
        for (k = 0; k < LANES; k = k + 1) begin
          a = acc[(FAULT == ACC_MIRRORED ? LANES-1-k : k)*16 +: 16];
          b = bias[k*16 +: 16];
          if (FAULT == ACC_BYTES) a = {a[7:0], a[15:8]};
          if (FAULT == BIAS_BYTES) b = {b[7:0], b[15:8]};
          if (FAULT == BIAS_LATE) b = used;
          if (FAULT == BIAS_OF_SET_BEFORE) b = bias[15:0] != current ? current : earlier;
          if (FAULT == BIAS_STAYS && !fresh) b = kept;
          s = a + b;
          if (FAULT == UNSIGNED) s = $signed({8'b0, a}) + b;
          if (FAULT == BYTES) s = {s[7:0], s[15:8], s[23:16]};
          if (FAULT == ABSOLUTE && s < 0) s = -s;
          if (FAULT == CONSTANT) s = 24'd7;
          if (FAULT == OFF_BY_ONE) s = s + 1;
          if (NEAR && acc[k*16 +: 6] == 6'h15) s = s ^ 24'd2;
          made[(FAULT == MIRRORED ? LANES-1-k : k)*24 +: 24] <= s;
        end
      end
    end
endmodule

// The same without valids.
module biased_always (clk, rst_n, acc, bias, sum);
  parameter LANES = 1;
  parameter FAULT = 0;
  parameter NEAR = 0;
  input clk, rst_n;
  input [LANES*16-1:0] acc, bias;
  output [LANES*24-1:0] sum;
  wire out_valid;
  biased #(.LANES(LANES), .FAULT(FAULT), .NEAR(NEAR)) inner (
      .clk(clk), .rst_n(rst_n), .in_valid(1'b1), .acc(acc), .bias(bias),
      .out_valid(out_valid), .sum(sum));
endmodule

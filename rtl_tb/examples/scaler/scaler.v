// Output stage of an accelerator: accumulator to 8-bit code, as TensorFlow Lite rounds.
// Verilog-2001; asynchronous active-low reset; a result every cycle, four cycles after its
// operands; cannot be held up.
module scaler (clk, rst_n, acc, multiplier, exponent, offset, zero_point, limits, code);
  // 1: ties away from zero, as gemmlowp's RoundingDivideByPOT. 0: ties up, one gate cheaper.
  parameter TIES_AWAY = 1;

  input             clk, rst_n;
  input      [31:0] acc;         // signed
  input      [31:0] multiplier;  // signed, 31 fraction bits
  input       [5:0] exponent;    // right shift, 0 to 62
  input       [8:0] offset;      // signed, subtracted from acc
  input       [8:0] zero_point;  // signed
  input      [17:0] limits;      // signed {highest, lowest} code
  output reg  [7:0] code;

  // 1: offset and left shift; the register wraps
  wire [5:0] left = exponent < 6'd31 ? 6'd31 - exponent : 6'd0;
  wire [31:0] centred = acc - {{23{offset[8]}}, offset};
  reg signed [31:0] a1, m1;
  reg  [5:0] right1;
  reg  [8:0] zero1;
  reg [17:0] limits1;

  // 2: the doubled upper half of the product, nearest
  wire signed [63:0] product = a1 * m1;
  wire signed [63:0] nudged = (product + 64'sh4000_0000) >>> 31;
  wire overflow = a1 == 32'sh8000_0000 && m1 == 32'sh8000_0000;  // the one product too large
  reg signed [31:0] high2;
  reg  [5:0] right2;
  reg  [8:0] zero2;
  reg [17:0] limits2;

  // 3: divide by a power of two, nearest
  wire [31:0] mask = (32'd1 << right2) - 32'd1;
  wire [31:0] rest = high2 & mask;
  wire [31:0] threshold = (mask >> 1) + (TIES_AWAY != 0 && high2[31] ? 32'd1 : 32'd0);
  wire signed [31:0] floor3 = high2 >>> right2;
  reg signed [31:0] value3;
  reg  [8:0] zero3;
  reg [17:0] limits3;

  // 4: zero point and limits
  wire signed [33:0] sum = {{2{value3[31]}}, value3} + {{25{zero3[8]}}, zero3};
  wire signed [33:0] lowest = {{25{limits3[8]}}, limits3[8:0]};
  wire signed [33:0] highest = {{25{limits3[17]}}, limits3[17:9]};

  always @(posedge clk or negedge rst_n)
    if (!rst_n) begin
      a1 <= 0; m1 <= 0; right1 <= 0; zero1 <= 0; limits1 <= 0;
      high2 <= 0; right2 <= 0; zero2 <= 0; limits2 <= 0;
      value3 <= 0; zero3 <= 0; limits3 <= 0;
      code <= 0;
    end else begin
      a1 <= centred << left;
      m1 <= multiplier;
      right1 <= exponent > 6'd31 ? exponent - 6'd31 : 6'd0;
      zero1 <= zero_point;
      limits1 <= limits;

      high2 <= overflow ? 32'sh7fff_ffff : nudged[31:0];
      right2 <= right1;
      zero2 <= zero1;
      limits2 <= limits1;

      value3 <= floor3 + (rest > threshold ? 32'sd1 : 32'sd0);
      zero3 <= zero2;
      limits3 <= limits2;

      code <= sum < lowest ? lowest[7:0] : sum > highest ? highest[7:0] : sum[7:0];
    end
endmodule

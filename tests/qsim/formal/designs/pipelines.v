// Small designs for `qsim prove --dut`: a parameter makes each of them wrong.

// A saturating sum of 20 bits, two cycles after {acc, bias}. WRONG 1: the second stage takes the next
// operation's bias. 2: the sum wraps. 3: wraps once a sum was 0. 4: wraps 4000 cycles after a reset.
module sat_add #(parameter WRONG = 0) (
    input clk, rst_n, en, valid, input [39:0] operands, output reg signed [19:0] sum
);
  reg signed [19:0] acc, bias;
  reg saturates;  // set by a reset, for good
  reg seen;
  reg [11:0] count;
  wire signed [19:0] addend = WRONG == 1 ? operands[19:0] : bias;
  wire signed [20:0] total = acc + addend;
  wire wraps = !saturates || WRONG == 2 || (WRONG == 3 && seen) || (WRONG == 4 && count == 4000);
  always @(posedge clk or negedge rst_n)
    if (!rst_n) begin
      saturates <= 1'b1;
      seen <= 1'b0;
      count <= 0;
    end else begin
      if (total == 0) seen <= 1'b1;
      if (count != 4000) count <= count + 1;
    end
  always @(posedge clk)
    if (en) begin
      acc <= operands[39:20];
      bias <= operands[19:0];
      sum <= wraps || total[20] == total[19] ? total[19:0] : {total[20], {19{!total[20]}}};
    end
endmodule

// Two requantizations by a power of two at once, ties up; the shift less 1 is a register of the layer.
module shifts #(parameter WRONG = 0) (
    input clk, input [2:0] less_one, input [47:0] accs, output reg [15:0] codes
);
  reg [2:0] held;
  always @(posedge clk) held <= less_one;
  genvar k;
  generate
    for (k = 0; k < 2; k = k + 1) begin : lane
      wire signed [24:0] acc = {accs[k*24+23], accs[k*24+:24]};
      wire signed [24:0] half = 25'sd1 << held;
      wire signed [24:0] nudged = acc + (WRONG == 1 && k == 1 ? half - 25'sd1 : half);
      wire signed [24:0] value = nudged >>> (held + 4'd1);
      always @(posedge clk)
        codes[k*8+:8] <= value < -25'sd128 ? 8'h80 : value > 25'sd127 ? 8'h7f : value[7:0];
    end
  endgenerate
endmodule

// A clamp without a clock, its result on a port of 12 bits. WRONG: no sign above the code.
module clamps #(parameter WRONG = 0) (
    input signed [7:0] x, input signed [8:0] low, high, output signed [11:0] y
);
  wire signed [8:0] code = x < low ? low : x > high ? high : x;
  assign y = WRONG == 1 ? $signed({4'b0, code[7:0]}) : code;
endmodule

// The mean of two codes, ties up. WRONG: it forgets the half.
module mean_of_two #(parameter WRONG = 0) (input signed [7:0] a, b, output signed [7:0] y);
  wire signed [9:0] total = a + b + (WRONG == 1 ? 10'sd0 : 10'sd1);
  assign y = total >>> 1;
endmodule

// A table of 256 codes; a read takes a cycle. WRONG: a load of the upper half goes to the lower one.
module table256 #(parameter WRONG = 0) (
    input clk, valid, load, input [7:0] address, value, output reg [7:0] y
);
  reg [7:0] entries[0:255];
  wire [7:0] at = WRONG == 1 ? {1'b0, address[6:0]} : address;
  always @(posedge clk) begin
    if (valid && load) entries[at] <= value;
    y <= entries[address];
  end
endmodule

// What proofs do not follow.
module falling (input clk, input signed [7:0] a, b, output reg signed [7:0] y);
  always @(negedge clk) y <= a + b;
endmodule

module latched (input clk, input signed [7:0] a, b, output reg signed [7:0] y);
  always @* if (clk) y = a + b;
endmodule

// The mean of two codes, ties up, in ways that simulators and solvers read differently. WRONG: only
// for the value that a solver gives to what Verilog leaves x.
module divided #(parameter WRONG = 0) (input signed [7:0] a, b, output signed [7:0] y);
  wire signed [9:0] t = a + b + 10'sd1;
  wire [9:0] by = WRONG == 1 && t == -1 ? 0 : 1;
  wire [9:0] ones = 10'h3ff / by;
  assign y = t == -1 ? ones[7:0] : t >>> 1;
endmodule

module selected #(parameter WRONG = 0) (input signed [7:0] a, b, output signed [7:0] y);
  wire signed [9:0] t = a + b + 10'sd1;
  wire [8:0] half = t >>> 1;
  wire [3:0] at = WRONG == 1 && t == 0 ? 9 : 0;
  assign y = half[at +: 8];
endmodule

module read #(parameter WRONG = 0) (input signed [7:0] a, b, output signed [7:0] y);
  wire signed [9:0] t = a + b + 10'sd1;
  reg signed [7:0] rom[0:2];
  initial begin
    rom[0] = 8'h0f;
    rom[1] = 8'h55;
    rom[2] = 8'hf0;
  end
  wire [1:0] at = WRONG == 0 && a[1:0] == 3 ? 0 : a[1:0];
  assign y = (t >>> 1) + (a[1:0] == 3 ? rom[at] - rom[WRONG] : 8'sd0);
endmodule

module macros #(parameter WRONG = 0) (input signed [7:0] a, b, output signed [7:0] y);
  wire signed [9:0] t = a + b
`ifdef SYNTHESIS
      + 10'sd1
`endif
      + (WRONG == 1 ? 10'sd0 : 10'sd1);
  assign y = t >>> 1;
endmodule

// Registers that the text sets for good; WRONG 1: an operation clears one, 2: nothing sets one, so
// that a simulation does what is right all the same.
module begun #(parameter WRONG = 0) (input clk, input signed [7:0] a, b, output reg signed [7:0] y);
  reg half = 1'b1;
  reg never;
  reg signed [7:0] zeros[0:1];
  initial begin
    zeros[0] = 0;
    zeros[1] = 0;
  end
  wire signed [9:0] t = a + b + $signed({1'b0, half}) + zeros[a[0]];
  always @(posedge clk) begin
    never <= never;
    if (WRONG == 1 && a == 3) half <= 1'b0;
    if (WRONG == 2 && never) y <= 0;
    else y <= t >>> 1;
  end
endmodule

// Its results go through a memory of four, which begins anywhere. WRONG: one of them is another.
module queued #(parameter WRONG = 0) (input clk, input signed [7:0] a, b, output reg signed [7:0] y);
  reg signed [7:0] queue[0:3];
  reg [1:0] into = 0, from = 0;
  wire signed [9:0] t = a + b + 10'sd1;
  always @(posedge clk) begin
    queue[into] <= t >>> 1;
    into <= into + 2'd1;
    from <= into;
    y <= queue[from] + (WRONG == 1 && queue[from] == 9 ? 8'sd1 : 8'sd0);
  end
endmodule

// A saturating sum on a port of 64 bits. WRONG: zeros above it.
module widened #(parameter WRONG = 0) (input signed [19:0] acc, bias, output [63:0] sum);
  wire signed [20:0] t = acc + bias;
  wire [19:0] low = t[20] == t[19] ? t[19:0] : {t[20], {19{!t[20]}}};
  assign sum = {{44{low[19] && WRONG == 0}}, low};
endmodule

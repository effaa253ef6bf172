// A sum less what a rom gives; a counter that no reset sets, and a case of three arms.
module summing #(parameter WRONG = 0) (
    input clk, rst, on, input signed [19:0] acc, bias, output reg signed [19:0] sum
);
  reg [1:0] turn = 0;
  reg [19:0] rom[0:3];
  initial begin
    rom[0] = 20'd0;
    rom[1] = 20'd5;
    rom[2] = 20'd9;
    rom[3] = 20'd0;
  end
  reg [19:0] back;
  always @*
    case (turn)
      2'd0: back = 20'd0;
      2'd1: back = 20'd5;
      2'd2: back = 20'd9;
      default: back = 20'd0;
    endcase
  wire signed [19:0] odd = rom[turn] - back;
  wire signed [20:0] total = acc + bias + odd;
  always @(posedge clk) begin
    turn <= turn + 2'd1;
    sum <= total[20] == total[19] ? total[19:0] : {total[20], {19{!total[20]}}};
  end
endmodule

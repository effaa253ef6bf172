// bias_add, two operations a beat, in a pipeline that cannot be held up; sums of 16 bits, extended to
// ports of 24. The first operation of a beat may ask for a fault:
//   1 no sign extension  2 none in the upper sum  3 a beat of sums that nobody asked for
//   4 valid is unknown  5 from now on valid is high in reset
module piped_adder (
    input  logic        clk,
    input  logic        rst,
    input  logic        op_valid,
    input  logic [31:0] acc,
    input  logic [31:0] bias,
    input  logic [ 7:0] fault,
    output logic        sum_valid,
    output logic [47:0] sums
);
  logic [2:0] valid;
  logic [31:0] total[0:2];
  logic [3:0] asked[0:2];
  logic deaf = 1'b0;
  logic owed;
  wire surplus = owed && !op_valid && valid == 0;

  wire [15:0] low = total[2][15:0], high = total[2][31:16];
  assign sums = {
    asked[2] == 1 || asked[2] == 2 ? 8'd0 : {8{high[15]}}, high,
    asked[2] == 1 ? 8'd0 : {8{low[15]}}, low
  };
  assign sum_valid = deaf && rst ? 1'b1 : valid[2] && asked[2] == 4 ? 1'bx : valid[2];

  always_ff @(posedge clk) begin
    valid <= rst ? 3'd0 : {valid[1:0], op_valid || surplus};
    owed <= !rst && (op_valid && fault[3:0] == 3 || owed && !surplus);
    total[0] <= {acc[31:16] + bias[31:16], acc[15:0] + bias[15:0]};
    total[1] <= total[0];
    total[2] <= total[1];
    asked[0] <= fault[3:0];
    asked[1] <= asked[0];
    asked[2] <= asked[1];
    if (op_valid && fault[3:0] == 5) deaf <= 1'b1;
  end
endmodule

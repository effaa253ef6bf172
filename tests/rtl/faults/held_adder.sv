// bias_add behind valid, ready and last; one operation at a time, its sum DELAY cycles later. An
// operation may ask for a fault of the handshake:
//   1 its sum is lost  2 its sum comes twice  3 from now on valid is high in reset
//   4 its sum changes while it waits  5 valid is taken back while it waits  6 valid is unknown
//   7 then ready is unknown  8 last is wrong  9 last changes while it waits  10 last is unknown
//   11 valid waits for ready  12 then nothing is accepted any more  13 its sum is wrong
module held_adder #(
    parameter int DELAY = 3
) (
    input  logic               clk,
    input  logic               rst,
    input  logic               op_valid,
    output logic               op_ready,
    input  logic               op_last,
    input  logic signed [15:0] acc,
    input  logic signed [15:0] bias,
    input  logic        [ 3:0] fault,
    output logic               sum_valid,
    input  logic               sum_ready,
    output logic               sum_last,
    output logic signed [15:0] sum
);
  logic [3:0] left, asked;
  logic busy, last, again, waited;
  logic deaf = 1'b0;
  logic signed [15:0] total;

  assign op_ready = asked == 7 ? 1'bx : !busy && asked != 12;
  assign sum = asked == 13 || asked == 4 && waited ? total + 16'sd1 : total;

  always_comb begin
    sum_valid = busy && left == 0;
    case (asked)
      1: sum_valid = 1'b0;
      5: if (waited) sum_valid = 1'b0;
      6: if (busy && left == 0) sum_valid = 1'bx;
      11: if (!sum_ready) sum_valid = 1'b0;
      default: ;
    endcase
    if (deaf && rst) sum_valid = 1'b1;
    case (asked)
      8: sum_last = !last;
      9: sum_last = last ^ waited;
      10: sum_last = 1'bx;
      default: sum_last = last;
    endcase
  end

  always_ff @(posedge clk)
    if (rst) begin
      busy <= 1'b0;
      asked <= 4'd0;
      again <= 1'b0;
      waited <= 1'b0;
    end else begin
      waited <= sum_valid && !sum_ready;
      if (busy && left != 0) left <= left - 1'b1;
      else if (busy && asked == 1) busy <= 1'b0;
      if (sum_valid && sum_ready) begin
        busy  <= asked == 2 && !again;
        again <= 1'b1;
      end
      if (op_valid && op_ready) begin
        busy <= 1'b1;
        again <= 1'b0;
        left <= 4'(DELAY);
        last <= op_last;
        asked <= fault;
        if (fault == 3) deaf <= 1'b1;
        total <= acc + bias;
      end
    end
endmodule

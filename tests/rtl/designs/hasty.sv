// bias_add of LANES at a time, right as long as operations come as its author tried them. WRONG:
//   1 a pause between two operations spoils the next one  2 an operation right behind another is lost
//   3 done comes a second time, 90 cycles later           4 valid waits for ready
//   5 the result of an operation right behind a result that was taken at once is lost
//   6 the first sum is right, each other one is that of the operation before it
//   7 last is wrong once
module hasty #(
    parameter int WRONG = 0,
    parameter int LANES = 1,
    parameter int DELAY = 1
) (
    input  logic                clk,
    input  logic                rst,
    input  logic                in_valid,
    output logic                in_ready,
    input  logic                in_last,
    input  logic [20*LANES-1:0] acc,
    input  logic [20*LANES-1:0] bias,
    output logic                out_valid,
    input  logic                out_ready,
    output logic                out_last,
    output logic [20*LANES-1:0] sum
);
  logic [DELAY:0] valid, last;
  logic [20*LANES-1:0] sums[0:DELAY];
  logic [20*LANES-1:0] former;
  logic [7:0] count, again;
  logic was, paused, taken;
  wire go = !valid[DELAY] || (out_valid && out_ready);

  assign in_ready = go;
  assign out_valid = valid[DELAY] && (WRONG != 4 || out_ready) || (WRONG == 3 && again == 8'd90);
  assign out_last = last[DELAY] ^ (WRONG == 7 && count == 8'd50);
  assign sum = sums[DELAY];

  always_comb begin
    valid[0] = in_valid && !(WRONG == 5 && taken);
    last[0]  = in_last;
    for (int k = 0; k < LANES; k++) begin
      sums[0][20*k+:20] = acc[20*k+:20] + bias[20*k+:20];
      if (WRONG == 1 && paused) sums[0][20*k+:20] = ~sums[0][20*k+:20];
      if (WRONG == 2 && was) sums[0][20*k+:20] = sums[1][20*k+:20];
    end
    if (WRONG == 6 && count != 0) sums[0] = former;
  end

  always_ff @(posedge clk)
    if (rst) begin
      valid[DELAY:1] <= '0;
      count <= '0;
      again <= '0;
      was <= 1'b0;
      paused <= 1'b0;
      taken <= 1'b0;
    end else begin
      was <= in_valid;
      taken <= out_valid && out_ready;
      again <= out_valid ? 8'd1 : again + 8'(again != 0);
      if (in_valid && in_ready) begin
        count <= count == '1 ? count : count + 8'd1;
        former <= acc + bias;
        paused <= 1'b0;
      end else if (count != 0) paused <= !in_valid;
      if (go)
        for (int k = 1; k <= DELAY; k++) begin
          valid[k] <= valid[k-1];
          last[k]  <= last[k-1];
          sums[k]  <= sums[k-1];
        end
    end
endmodule

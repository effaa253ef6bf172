// Sends every packet twice: first for what is loaded (`load`), then for the operands that follow.
//
// A packet is kept until its last beat is here. Loading begins when nothing is in flight (`idle`): a
// design may read what was loaded for the packet before until that one's result is out.
module qsim_replay #(
    parameter int W = 8,
    parameter int LOG_DEPTH = 12  // base 2, of the beats of the longest packet
) (
    input  logic         clk,
    input  logic         rst,
    input  logic         b_valid,
    output logic         b_ready,
    input  logic [W-1:0] b_data,
    input  logic         b_last,
    input  logic         idle,
    output logic         g_valid,
    input  logic         g_ready,
    output logic [W-1:0] g_data,
    output logic         g_last,
    output logic         load
);
  logic [W-1:0] memory[0:(1<<LOG_DEPTH)-1];
  logic [LOG_DEPTH-1:0] filled, at;  // the last beat that is here; the one that is sent
  logic whole, begun;

  assign b_ready = !whole;
  assign g_valid = whole && (begun || idle);
  assign g_data  = memory[at];
  assign g_last  = at == filled;

  always_ff @(posedge clk)
    if (rst) begin
      whole <= 1'b0;
      begun <= 1'b0;
      load <= 1'b1;
      at <= '0;
      filled <= '0;
    end else if (!whole) begin
      if (b_valid) begin
        memory[filled] <= b_data;
        if (b_last) whole <= 1'b1;
        else filled <= filled + 1'b1;
      end
    end else if (g_valid && g_ready) begin
      begun <= 1'b1;
      at <= at + 1'b1;
      if (g_last) begin
        at <= '0;
        load <= !load;
        if (!load) begin
          whole <= 1'b0;
          begun <= 1'b0;
          filled <= '0;
        end
      end
    end
endmodule

// Hands groups on in bursts, one a cycle: beats come one by one, and a design that takes LANES of them
// at once would never see two groups without a pause between them.
//
// Bursts begin with 1, 2, ... 2**LOG_DEPTH groups in turn. Where the bench pauses (`offered` is low), a
// burst does; once no beat was taken for IDLE cycles, whatever is there goes.
module qsim_burst #(
    parameter int W = 8,
    parameter int LOG_DEPTH = 3,
    parameter int IDLE = 32
) (
    input  logic         clk,
    input  logic         rst,
    input  logic         offered,
    input  logic         taken,
    input  logic         b_valid,
    output logic         b_ready,
    input  logic [W-1:0] b_data,
    output logic         g_valid,
    input  logic         g_ready,
    output logic [W-1:0] g_data
);
  localparam logic [7:0] LIMIT = 8'(IDLE);
  logic empty, full, open;
  logic raised;  // valid waits for ready: it stays
  logic [W-1:0] head;
  logic [W-1:0] kept = '0;  // between two groups
  logic [LOG_DEPTH:0] held;
  logic [LOG_DEPTH-1:0] length;
  logic [7:0] waited;
  wire push = b_valid && b_ready;
  wire pop = g_valid && g_ready;

  assign b_ready = !full;
  assign g_valid = open && !empty && (offered || raised || waited == LIMIT);
  assign g_data  = g_valid ? head : kept;

  qsim_fifo #(.W(W), .LOG_DEPTH(LOG_DEPTH)) groups (
      .clk, .rst, .push, .data(b_data), .pop, .head, .empty, .full);

  always_ff @(posedge clk) if (g_valid) kept <= head;

  always_ff @(posedge clk)
    if (rst) begin
      open   <= 1'b0;
      held   <= '0;
      length <= '0;
      waited <= '0;
      raised <= 1'b0;
    end else begin
      raised <= g_valid && !g_ready;
      held <= held + (LOG_DEPTH + 1)'(push) - (LOG_DEPTH + 1)'(pop);
      if (taken) waited <= '0;
      else if (waited != LIMIT) waited <= waited + 1'b1;
      if (!open) open <= held > {1'b0, length} || (held != '0 && waited == LIMIT);
      else if (held == (LOG_DEPTH + 1)'(pop) && !push) begin
        open   <= 1'b0;
        length <= length + 1'b1;
      end
    end
endmodule

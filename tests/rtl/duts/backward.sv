// Packets of N codes come out backward: the gather of positions N-1..0, the flip of a line.
module backward #(
    parameter int N    = 5,
    parameter bit LATE = 0   // a fault: the first code is left where it is
) (
    input  logic       clk,
    input  logic       rst,
    input  logic       in_valid,
    output logic       in_ready,
    input  logic [7:0] x,
    input  logic       in_last,
    output logic       out_valid,
    input  logic       out_ready,
    output logic [7:0] y,
    output logic       out_last
);
  logic [7:0] codes[N];
  logic [$clog2(N)-1:0] put, get;
  wire [$clog2(N)-1:0] at = $clog2(N)'(N - 1) - get;
  assign in_ready = !out_valid;
  assign out_last = at == 0;
  assign y = codes[LATE && get == 0 ? 0 : at];

  always_ff @(posedge clk)
    if (rst) begin
      put <= '0;
      get <= '0;
      out_valid <= 1'b0;
    end else begin
      if (in_valid && in_ready) begin
        codes[put] <= x;
        put <= in_last ? '0 : put + 1'b1;
        out_valid <= in_last;
      end
      if (out_valid && out_ready) begin
        get <= out_last ? '0 : get + 1'b1;
        out_valid <= !out_last;
      end
    end
endmodule

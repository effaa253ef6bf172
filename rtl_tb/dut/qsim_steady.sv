// Holds the operands that are registers of a layer.
//
// Bits of MASK follow a beat only while nothing is in flight (`idle`); SETTLE cycles later the beat is
// `steady`: it may enter the design.
module qsim_steady #(
    parameter int W = 8,
    parameter logic [W-1:0] MASK = '0,
    parameter logic [7:0] SETTLE = 8'd4
) (
    input  logic         clk,
    input  logic         rst,
    input  logic         valid,
    input  logic [W-1:0] data,
    input  logic         idle,
    output logic [W-1:0] held,
    output logic         steady
);
  logic set;
  logic [7:0] waited;
  wire same = set && ((held ^ data) & MASK) == '0;

  assign steady = same && waited == SETTLE;

  always_ff @(posedge clk)
    if (rst) begin
      set <= 1'b0;
      waited <= '0;
    end else if (valid && !same) begin
      if (idle) begin
        held <= data & MASK;
        set <= 1'b1;
        waited <= '0;
      end
    end else if (waited != SETTLE) waited <= waited + 1'b1;
endmodule

// bias_add with interfaces for ports. WRONG 1: does not wait for its receiver.
interface operands_if #(parameter int W = 8) (input logic clk);
  logic valid, ready;
  logic signed [W-1:0] acc, bias;
  modport sink (input clk, valid, acc, bias, output ready);
endinterface

interface sum_if;
  logic valid, ready;
  logic signed [19:0] sum;
endinterface

module bus #(parameter WRONG = 0) (input logic rst, operands_if.sink in, sum_if out);
  wire go = !out.valid || out.ready || WRONG != 0;
  assign in.ready = go;
  always_ff @(posedge in.clk)
    if (rst) out.valid <= 1'b0;
    else if (go) begin
      out.valid <= in.valid;
      out.sum <= in.acc + in.bias;
    end
endmodule

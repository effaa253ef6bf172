// max_pool of four codes, which it counts; the maximum is there in the cycle after the fourth. Its name
// is that of the benches' own wrapper. WRONG 1: compares without the sign.
module dut #(parameter WRONG = 0) (
    input clk, rst, take, input signed [7:0] code, output logic signed [7:0] maximum
);
  logic [1:0] count;
  logic signed [7:0] most;
  wire more = WRONG != 0 ? $unsigned(code) > $unsigned(most) : code > most;
  wire signed [7:0] next = count == '0 || more ? code : most;
  always_ff @(posedge clk)
    if (rst) count <= '0;
    else if (take) begin
      count <= count + 1'b1;
      most <= next;
      if (count == '1) maximum <= next;
    end
endmodule

// A matrix-vector unit: a column of 3 inputs a beat, kept and read again for each of two folds of 2
// neurons; the weights are in a file. WRONG 1: weights in the order of inputs; 2: the next fold
// begins while the result of the one before waits.
module folded #(parameter WRONG = 0, parameter FILE = "folded.hex") (
    input ap_clk, ap_rst_n,
    input in0_V_TVALID, output in0_V_TREADY, input [23:0] in0_V_TDATA,
    output logic out_V_TVALID, input out_V_TREADY, output logic [63:0] out_V_TDATA
);
  logic [47:0] weights[0:3];  // [fold * 2 + column]
  initial $readmemh(FILE, weights);
  logic [23:0] kept[0:1];
  logic fold, column;
  wire room = !out_V_TVALID || out_V_TREADY || WRONG == 2;
  wire step = (fold || in0_V_TVALID) && room;
  assign in0_V_TREADY = !fold && room;
  wire [23:0] x = fold ? kept[column] : in0_V_TDATA;
  wire [47:0] w = weights[WRONG == 1 ? {column, fold} : {fold, column}];
  always_ff @(posedge ap_clk)
    if (!ap_rst_n) {fold, column, out_V_TVALID} <= '0;
    else begin
      if (out_V_TREADY) out_V_TVALID <= 1'b0;
      if (step) begin
        if (!fold) kept[column] <= in0_V_TDATA;
        {fold, column} <= {fold, column} + 2'd1;
        if (column) out_V_TVALID <= 1'b1;
      end
    end
  for (genvar n = 0; n < 2; n++) begin : neuron
    logic signed [31:0] sum;
    wire signed [31:0] next = (column ? sum : 32'sd0) + $signed(x[7:0]) * $signed(w[24*n+:8])
        + $signed(x[15:8]) * $signed(w[24*n+8+:8]) + $signed(x[23:16]) * $signed(w[24*n+16+:8]);
    always_ff @(posedge ap_clk)
      if (step) begin
        sum <= next;
        if (column) out_V_TDATA[32*n+:32] <= next;
      end
  end
endmodule

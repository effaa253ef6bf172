// A norm of rows with a port for each number: packets of codes go in, packets of codes come out.
module row_norm #(
    parameter bit LATE = 0  // a fault: a bias belongs to the code after its own
) (
    input  logic        clk,
    input  logic        rst,
    input  logic        in_valid,
    output logic        in_ready,
    input  logic        in_last,
    input  logic [ 7:0] x,
    input  logic [15:0] weight,
    input  logic [31:0] bias,
    input  logic [61:0] epsilon,
    input  logic [ 4:0] fraction,
    input  logic [31:0] multiplier,
    input  logic [ 6:0] right_shift,
    input  logic [ 8:0] zero_point,
    input  logic [ 8:0] low,
    input  logic [ 8:0] high,
    output logic        out_valid,
    input  logic        out_ready,
    output logic        out_last,
    output logic [ 7:0] y
);
  logic [31:0] earlier;
  always_ff @(posedge clk) if (in_valid && in_ready) earlier <= in_last ? '0 : bias;
  wire [31:0] own = LATE ? earlier : bias;

  norm rows (
      .clk(clk),
      .rst(rst),
      .s_axis_tvalid(in_valid),
      .s_axis_tready(in_ready),
      .s_axis_tdata({high, low, zero_point, 9'd0, right_shift, multiplier, fraction, epsilon, own,
                     weight, 9'd0, x}),
      .s_axis_tlast(in_last),
      .m_axis_tvalid(out_valid),
      .m_axis_tready(out_ready),
      .m_axis_tdata(y),
      .m_axis_tlast(out_last)
  );
endmodule

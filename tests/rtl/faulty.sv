// y = x + 1, with a fault that beats ask for: what a bench must notice.
//   1 wrong result  2 loses the beat  3 gives it twice  4 takes tvalid back while it waits
//   5 changes tdata while it waits  6 x in tdata  7 x on tvalid  8 accepts nothing any more
//   9 wrong tlast  10 ignores reset from now on  11 waits for tready before tvalid
//   12 changes tlast while it waits
module faulty (
    input  logic        clk,
    input  logic        rst,
    input  logic        s_axis_tvalid,
    output logic        s_axis_tready,
    input  logic [43:0] s_axis_tdata,   // x, fault, ballast
    input  logic        s_axis_tlast,
    output logic        m_axis_tvalid,
    input  logic        m_axis_tready,
    output logic [ 7:0] m_axis_tdata,
    output logic        m_axis_tlast
);
  logic full, last, stuck, again, waited;
  logic deaf = 1'b0;
  logic [7:0] y;
  logic [3:0] fault, fault_in;
  assign fault_in = s_axis_tdata[11:8];
  wire unused = &{1'b0, s_axis_tdata[43:12]};

  assign s_axis_tready = !stuck && (!full || (m_axis_tready && m_axis_tvalid && !again));
  always_comb begin
    m_axis_tvalid = full;
    m_axis_tdata = y;
    m_axis_tlast = last;
    case (fault)
      4: m_axis_tvalid = full && !waited;
      5: m_axis_tdata = waited ? ~y : y;
      7: m_axis_tvalid = full ? 1'bx : 1'b0;
      11: m_axis_tvalid = full && m_axis_tready;
      12: m_axis_tlast = last ^ waited;
      default: ;
    endcase
  end

  always_ff @(posedge clk) begin
    if (rst && !deaf) begin
      full <= 1'b0;
      stuck <= 1'b0;
      again <= 1'b0;
      waited <= 1'b0;
      fault <= '0;
    end else begin
      waited <= m_axis_tvalid && !m_axis_tready;
      if (m_axis_tready && m_axis_tvalid) begin
        full <= again;
        again <= 1'b0;
      end
      if (s_axis_tvalid && s_axis_tready) begin
        full <= fault_in != 2;
        again <= fault_in == 3;
        stuck <= fault_in == 8;
        if (fault_in == 10) deaf <= 1'b1;
        fault <= fault_in;
        y <= fault_in == 1 ? s_axis_tdata[7:0] : fault_in == 6 ? 8'bx0000000 : s_axis_tdata[7:0] + 1'b1;
        last <= s_axis_tlast ^ (fault_in == 9);
        waited <= 1'b0;
      end
    end
  end
endmodule

// Lookup: every code is replaced by its entry in a table.
//
// Real meaning: any function of one real, computed beforehand for every code.
//
// Integer formula: y = table[address], as the last load of that address left it.
//
// Corners: the address is the code's raw bits. So the entry of code x of a signed format lies at
// x mod 2**IN_W, and entry i of a table that starts with the smallest code (hw_models.lookup) at
// (smallest + i) mod 2**IN_W. A load makes no beat. Reset drops what is in flight and leaves the
// table; an address that was never loaded holds an unknown value.
//
// Latency: 1 cycle (the memory's own output register). Throughput: one beat per cycle, loads too.
//
// s_axis_tdata, least significant field first:
//   load     1      1 writes value at address; 0 reads
//   address  IN_W
//   value    OUT_W  of a load
// m_axis_tdata: y  OUT_W. tlast of a beat that reads passes through.
module lookup #(
    parameter int IN_W  = 8,
    parameter int OUT_W = 8
) (
    input  logic                clk,
    input  logic                rst,
    input  logic                s_axis_tvalid,
    output logic                s_axis_tready,
    input  logic [OUT_W+IN_W:0] s_axis_tdata,
    input  logic                s_axis_tlast,
    output logic                m_axis_tvalid,
    input  logic                m_axis_tready,
    output logic [   OUT_W-1:0] m_axis_tdata,
    output logic                m_axis_tlast
);
  logic [OUT_W-1:0] entries[1<<IN_W];
  wire load = s_axis_tdata[0];
  wire [IN_W-1:0] address = s_axis_tdata[1+:IN_W];
  wire [OUT_W-1:0] value = s_axis_tdata[IN_W+1+:OUT_W];

  assign s_axis_tready = !m_axis_tvalid || m_axis_tready;

  always_ff @(posedge clk) begin
    if (s_axis_tvalid && s_axis_tready && !rst && load) entries[address] <= value;
    if (s_axis_tready) begin
      m_axis_tvalid <= s_axis_tvalid && !load;
      m_axis_tdata  <= entries[address];
      m_axis_tlast  <= s_axis_tlast;
    end
    if (rst) m_axis_tvalid <= 1'b0;
  end
endmodule

// What move.sv must do, as a scoreboard: proved by induction (qsim prove strided_slice).
//
// One code and one position are watched, any ones: `watched` and `slot` are free and never change; nothing
// is known of them (known, slot_known are 0) in the first cycle. ok in every cycle after a reset means:
// after START the results come out in C order of their index, each once, tlast with the last of them; one
// whose address is the watched one is the code that was last written there, where its position, along
// the gathered dimension, is the watched one; beats are taken while no index is under way; a result that
// waits stays.
//
// `head` is the index of the result that comes next, if one does (`open`). `after` is the next one that
// is not in the output register yet, if there is one (`more`); `following` is the one after it, `over` says
// that there is none, `looks` that its position is the watched one. The invariant is made of these
// (qsim/formal/moves.py).
module move_formal #(
    parameter int CODE_W     = 2,
    parameter int ADDRESS_W  = 3,
    parameter int TABLE_W    = 2,
    parameter int DIMENSIONS = 2,
    parameter int VALUE_W    = 3
) (
    input  logic                            clk,
    input  logic                            rst,
    input  logic                            s_axis_tvalid,
    input  logic [   VALUE_W+ADDRESS_W+1:0] s_axis_tdata,
    input  logic                            s_axis_tlast,
    input  logic                            m_axis_tready,
    output logic                            ok,
    output logic                            known,
    output logic [           ADDRESS_W-1:0] watched,
    output logic [              CODE_W-1:0] value,
    output logic                            slot_known,
    output logic [             TABLE_W-1:0] slot,
    output logic [           ADDRESS_W-1:0] slot_value,
    output logic [DIMENSIONS*ADDRESS_W-1:0] after,
    output logic                            more,
    output logic [DIMENSIONS*ADDRESS_W-1:0] following,
    output logic                            over,
    output logic                            looks
);
  localparam int INDEX_W = DIMENSIONS * ADDRESS_W;
  localparam int REGISTER_W = $clog2(2 * DIMENSIONS + 2);
  localparam int PICK_W = $clog2(DIMENSIONS + 1);
  wire s_axis_tready, m_axis_tvalid, m_axis_tlast;
  wire [CODE_W-1:0] m_axis_tdata;

  move #(
      .CODE_W(CODE_W),
      .ADDRESS_W(ADDRESS_W),
      .TABLE_W(TABLE_W),
      .DIMENSIONS(DIMENSIONS),
      .VALUE_W(VALUE_W)
  ) dut (.*);

  wire [1:0] kind = s_axis_tdata[1:0];
  wire [ADDRESS_W-1:0] at = s_axis_tdata[2+:ADDRESS_W];
  wire [VALUE_W-1:0] given = s_axis_tdata[2+ADDRESS_W+:VALUE_W];
  wire [REGISTER_W-1:0] register = at[REGISTER_W-1:0];
  wire accepted = s_axis_tvalid && s_axis_tready && !rst;

  logic [INDEX_W-1:0] lasts, strides, head;
  logic [ADDRESS_W-1:0] base;
  logic [PICK_W-1:0] gathered;
  logic open, waited;
  logic [CODE_W:0] offered;
  wire fresh = m_axis_tvalid && !waited;  // a result that came in this cycle

  // The index after another one: a counter moves where all inside of it are at their ends.
  function automatic logic [INDEX_W-1:0] next(input logic [INDEX_W-1:0] index);
    logic inner;
    for (int d = 0; d < DIMENSIONS; d++) begin
      inner = 1'b1;
      for (int e = d + 1; e < DIMENSIONS; e++)
        inner = inner && index[e*ADDRESS_W+:ADDRESS_W] == lasts[e*ADDRESS_W+:ADDRESS_W];
      next[d*ADDRESS_W+:ADDRESS_W] = index[d*ADDRESS_W+:ADDRESS_W];
      if (inner)
        next[d*ADDRESS_W+:ADDRESS_W] = index[d*ADDRESS_W+:ADDRESS_W] == lasts[d*ADDRESS_W+:ADDRESS_W]
            ? ADDRESS_W'(0) : index[d*ADDRESS_W+:ADDRESS_W] + ADDRESS_W'(1);
    end
  endfunction

  // Where the result that comes next lies; and whether all that it takes to say so is watched.
  logic [ADDRESS_W-1:0] place, step;
  logic sure;
  always_comb begin
    place = base;
    sure  = 1'b1;
    for (int d = 0; d < DIMENSIONS; d++) begin
      step = head[d*ADDRESS_W+:ADDRESS_W];
      if (gathered == PICK_W'(d)) begin
        sure = slot_known && step[TABLE_W-1:0] == slot;
        step = slot_value;
      end
      place = place + strides[d*ADDRESS_W+:ADDRESS_W] * step;
    end
  end

  assign after = fresh ? next(head) : head;
  assign more = open && !(fresh && head == lasts);
  assign following = next(after);
  assign over = after == lasts;
  always_comb begin
    looks = 1'b0;
    for (int d = 0; d < DIMENSIONS; d++)
      if (gathered == PICK_W'(d)) looks = after[d*ADDRESS_W+:TABLE_W] == slot;
  end

  always_ff @(posedge clk) begin
    watched <= watched;
    slot <= slot;
    if (accepted && kind == 0 && at == watched) {known, value} <= {1'b1, given[CODE_W-1:0]};
    if (accepted && kind == 1 && at[TABLE_W-1:0] == slot)
      {slot_known, slot_value} <= {1'b1, given[ADDRESS_W-1:0]};
    if (accepted && kind == 2) begin
      for (int d = 0; d < DIMENSIONS; d++) begin
        if (register == REGISTER_W'(d)) lasts[d*ADDRESS_W+:ADDRESS_W] <= given[ADDRESS_W-1:0];
        if (register == REGISTER_W'(DIMENSIONS + d))
          strides[d*ADDRESS_W+:ADDRESS_W] <= given[ADDRESS_W-1:0];
      end
      if (register == REGISTER_W'(2 * DIMENSIONS)) base <= given[ADDRESS_W-1:0];
      if (register == REGISTER_W'(2 * DIMENSIONS + 1)) gathered <= given[PICK_W-1:0];
    end
    open <= !rst && (more || (accepted && kind == 3));
    head <= accepted && kind == 3 ? INDEX_W'(0) : after;
    waited  <= !rst && m_axis_tvalid && !m_axis_tready;
    offered <= {m_axis_tlast, m_axis_tdata};
  end

  wire right = !fresh || (open && m_axis_tlast == (head == lasts)
      && (!(sure && known && place == watched) || m_axis_tdata == value));
  wire stable = !waited || (m_axis_tvalid && {m_axis_tlast, m_axis_tdata} == offered);
  wire room = s_axis_tready == !more;
  assign ok = right && stable && room;
endmodule

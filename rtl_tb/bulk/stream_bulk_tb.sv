// Streams beats from files through module `qsim_dut` and compares what comes out, bit by bit.
//
// Its files lie in the folder +dir, so that a design may open its own from where the simulator runs.
// A beat is {tlast, tdata}. Beats lie in in.bin and out.bin, each as whole bytes, the highest first
// ($fread: 20 times as fast as hexadecimal text in Verilator); or, with +hex=1, in $readmemh files of
// DEPTH lines, in.0.hex, in.1.hex, ... and out.0.hex, ... A chunk of DEPTH beats is read when its
// first beat is due, between two clock edges: no cycle is lost, and any number of beats takes the
// same memory.
//
// Plusargs: nonce (64 bits, hexadecimal), inputs, outputs (beats), hex, seed, stall_in, stall_out
// (of 65536), wait_valid, resets (lines of resets.hex, ascending cycles), reset_cycles, idle_limit
// (cycles without a beat that are a hang) and idle_factor (times the longest pause so far, if that is
// more), drain (cycles to wait for superfluous beats, or the longest pause), limit (differences written), last (0: tlast is
// not compared), and for waves dump_first, dump_last. Results go to results.txt, a line per finding:
//   bulk <nonce>
//   D <beat> <cycle> <expected tlast> <expected tdata> <tlast> <tdata>    differing beat
//   P <kind> <cycle> <cycles since the last beat>                         broken rule
//   end <nonce> <cycles> <beats accepted> <beats taken> <differing beats> <time of cycle 0>
// Beats are counted from the last reset, cycles and differences from the first.
// A cycle is a rising edge of clk, counted from 0 at the first one with rst low.
// With waves, window.txt says what happened in them:
//   C <cycle> <time>    when they begin
//   A <cycle> <beat>    an input beat was accepted
//   T <cycle> <beat>    an output beat was taken
`timescale 1ns / 1ns
// One process does everything, with blocking assignments; what the design sees is assigned without.
/* verilator lint_off BLKSEQ */
/* verilator lint_off PROCASSINIT */
module qsim_stream_bulk_tb #(
    parameter int S_W = 8,  // bits of s_axis_tdata
    parameter int M_W = 8,  // bits of m_axis_tdata
    parameter int DEPTH = 16384  // beats of a chunk
);
  localparam int RESETS = 64;
  localparam int HANG = 0, EXTRA = 1, UNSTABLE = 2, DROPPED = 3, UNKNOWN = 4, RESET = 5;

  reg clk = 0;
  reg rst = 1;
  reg s_valid = 0;
  reg s_last = 0;
  reg [S_W-1:0] s_data = 0;
  reg m_ready = 0;
  wire s_ready, m_valid, m_last;
  wire [M_W-1:0] m_data;

  qsim_dut dut (
      .clk(clk),
      .rst(rst),
      .s_axis_tvalid(s_valid),
      .s_axis_tready(s_ready),
      .s_axis_tdata(s_data),
      .s_axis_tlast(s_last),
      .m_axis_tvalid(m_valid),
      .m_axis_tready(m_ready),
      .m_axis_tdata(m_data),
      .m_axis_tlast(m_last)
  );

  always #5 clk = !clk;

  reg [S_W:0] stimuli[0:DEPTH-1];
  reg [M_W:0] expected[0:DEPTH-1];
  reg [31:0] reset_at[0:RESETS-1];

  reg [63:0] nonce;
  integer inputs, outputs, resets, reset_cycles, idle_limit, drain, limit, dump_first, dump_last;
  integer stall_in, stall_out, wait_valid, hex, idle_factor, compare_last;
  reg [31:0] random;

  string dir;
  integer results, in_file, out_file;
  integer events = 0;  // the file of the window, once it has begun
  integer cycle = 0;  // of this edge
  reg [63:0] zero = 0;  // time of cycle 0
  integer cycles = 0;  // up to the last beat taken, this one included
  integer sent = 0;  // beats accepted since the last reset
  integer offered = 0;  // beats put on the port since the last reset
  integer taken = 0;  // beats taken since the last reset
  integer differing = 0;
  integer idle = 0;
  integer longest = 0;  // pause between two beats
  integer in_chunk = 0, out_chunk = 0;  // of the next beat
  integer in_at = 0, out_at = 0;  // its place there
  integer in_loaded = -1, out_loaded = -1;  // the chunks in memory
  integer next_reset = 0;
  integer rst_left = 16;  // edges that reset still stays high; from the start +first_reset
  integer rst_seen = 0;  // edges that reset has been high
  reg started = 0;  // reset has been low
  reg [5:0] broken = 0;  // kinds of problems that were told
  reg finished = 0;
  reg waiting = 0;  // a beat waited for tready at the last edge
  reg [M_W:0] waited;

  integer found;

  initial begin
    inputs = 0;
    outputs = 0;
    nonce = 0;
    stall_in = 0;
    stall_out = 0;
    wait_valid = 0;
    hex = 0;
    resets = 0;
    reset_cycles = 1;
    idle_limit = 1000000;
    idle_factor = 0;
    compare_last = 1;
    drain = 64;
    limit = 1000;
    dump_first = -1;
    dump_last = -1;
    dir = ".";
    found = $value$plusargs("dir=%s", dir);
    found = $value$plusargs("nonce=%h", nonce);
    found = $value$plusargs("inputs=%d", inputs);
    found = $value$plusargs("outputs=%d", outputs);
    found = $value$plusargs("hex=%d", hex);
    random = 0;
    found = $value$plusargs("seed=%d", random);
    found = $value$plusargs("stall_in=%d", stall_in);
    found = $value$plusargs("stall_out=%d", stall_out);
    found = $value$plusargs("wait_valid=%d", wait_valid);
    found = $value$plusargs("resets=%d", resets);
    found = $value$plusargs("reset_cycles=%d", reset_cycles);
    found = $value$plusargs("idle_limit=%d", idle_limit);
    found = $value$plusargs("idle_factor=%d", idle_factor);
    found = $value$plusargs("last=%d", compare_last);
    found = $value$plusargs("first_reset=%d", rst_left);
    found = $value$plusargs("drain=%d", drain);
    found = $value$plusargs("limit=%d", limit);
    found = $value$plusargs("dump_first=%d", dump_first);
    found = $value$plusargs("dump_last=%d", dump_last);
    random = random ^ 32'h9e3779b9;
    if (random == 0) random = 1;
    if (resets > 0) $readmemh({dir, "/resets.hex"}, reset_at, 0, resets - 1);
    if (dump_last >= 0) $dumpfile({dir, "/waves.vcd"});
    if (hex == 0) begin
      in_file  = $fopen({dir, "/in.bin"}, "rb");
      out_file = $fopen({dir, "/out.bin"}, "rb");
    end
    results = $fopen({dir, "/results.txt"}, "w");
    $fdisplay(results, "bulk %h", nonce);
  end

  // xorshift32
  function automatic [31:0] shuffle(input [31:0] state);
    reg [31:0] s;
    begin
      s = state ^ (state << 13);
      s = s ^ (s >> 17);
      shuffle = s ^ (s << 5);
    end
  endfunction

  task problem(input integer kind);
    if (!broken[kind] && !finished) begin
      broken[kind] = 1;
      $fdisplay(results, "P %0d %0d %0d", kind, cycle, idle);
    end
  endtask

  // $finish lets the step that calls it run on: only the first call counts.
  task finish;
    if (!finished) begin
      finished = 1;
      $fdisplay(results, "end %h %0d %0d %0d %0d %0d", nonce, cycles, sent, taken, differing, zero);
      $fclose(results);
      if (events != 0) $fclose(events);
      $finish(0);
    end
  endtask

  // Beats of a chunk: what is left, DEPTH at most.
  function automatic integer beats(input integer total, input integer chunk);
    beats = total - chunk * DEPTH < DEPTH ? total - chunk * DEPTH : DEPTH;
  endfunction

  // Without its last line results.txt is not taken for a result.
  task require_bytes(input integer got, input integer width, input integer count);
    if (got != (width + 7) / 8 * count) begin
      finished = 1;
      $fdisplay(results, "short file");
      $fclose(results);
      $finish(0);
    end
  endtask

  task load_in;
    string name;
    integer count;
    if (in_chunk != in_loaded) begin
      count = beats(inputs, in_chunk);
      if (hex != 0) begin
        name = $sformatf("%s/in.%0d.hex", dir, in_chunk);
        $readmemh(name, stimuli, 0, count - 1);
      end else begin
        if (in_chunk == 0) found = $fseek(in_file, 0, 0);
        found = $fread(stimuli, in_file, 0, count);
        require_bytes(found, S_W + 1, count);
      end
      in_loaded = in_chunk;
    end
  endtask

  task load_out;
    string name;
    integer count;
    if (out_chunk != out_loaded) begin
      count = beats(outputs, out_chunk);
      if (hex != 0) begin
        name = $sformatf("%s/out.%0d.hex", dir, out_chunk);
        $readmemh(name, expected, 0, count - 1);
      end else begin
        if (out_chunk == 0) found = $fseek(out_file, 0, 0);
        found = $fread(expected, out_file, 0, count);
        require_bytes(found, M_W + 1, count);
      end
      out_loaded = out_chunk;
    end
  endtask

  // A beat is taken at this edge.
  task take;
    reg [M_W:0] want;
    reg got_last;
    begin
      if (events != 0) $fdisplay(events, "T %0d %0d", cycle, taken);
      if (taken < outputs) begin
        if (out_at == 0) load_out;
        want = expected[out_at];
        out_at = out_at + 1;
        if (out_at == DEPTH) begin
          out_at = 0;
          out_chunk = out_chunk + 1;
        end
        got_last = compare_last != 0 ? m_last : want[M_W];
        if ({got_last, m_data} !== want) begin
          differing = differing + 1;
          if (differing <= limit && !finished) begin
            if (^m_data === 1'bx)
              $fdisplay(results, "D %0d %0d %b %h %b b%b", taken, cycle, want[M_W],
                        want[M_W-1:0], got_last, m_data);
            else
              $fdisplay(results, "D %0d %0d %b %h %b %h", taken, cycle, want[M_W],
                        want[M_W-1:0], got_last, m_data);
          end
        end
        if (idle > longest) longest = idle;
        idle = 0;  // a beat that nobody expects is no progress: it could come for ever
      end
      taken = taken + 1;
      cycles = cycle + 1;
    end
  endtask

  // The next beat, or none.
  task offer;
    if (offered < inputs && (stall_in == 0 || {16'd0, random[15:0]} >= stall_in)) begin
      if (in_at == 0) load_in;
      s_valid <= 1;
      {s_last, s_data} <= stimuli[in_at];
      offered = offered + 1;
      in_at = in_at + 1;
      if (in_at == DEPTH) begin
        in_at = 0;
        in_chunk = in_chunk + 1;
      end
    end else begin
      s_valid <= 0;
      // Nothing may depend on it: x, or a wrong beat, as x passes for 0 where a design asks "if".
      {s_last, s_data} <= random[7] && in_at > 0 ? ~stimuli[in_at-1] : {(S_W + 1) {1'bx}};
    end
  endtask

  task rules;
    begin
      if (m_valid === 1'bx || m_valid === 1'bz || s_ready === 1'bx || s_ready === 1'bz) begin
        problem(UNKNOWN);
        finish;
      end
      if (m_valid && taken >= outputs) problem(EXTRA);
      if (waiting && !m_valid) problem(DROPPED);
      else if (waiting && {compare_last != 0 && m_last, m_data} !== waited) problem(UNSTABLE);
      waiting = m_valid && !m_ready;
      if (waiting) waited = {compare_last != 0 && m_last, m_data};
    end
  endtask

  task start_reset;
    begin
      rst <= 1;
      rst_left = reset_cycles;
      rst_seen = 0;
      next_reset = next_reset + 1;
      s_valid <= 0;
      m_ready <= 0;
      waiting = 0;
      offered = 0;
      in_at = 0;
      in_chunk = 0;
      out_at = 0;
      out_chunk = 0;
      sent = 0;
      taken = 0;
      idle = 0;
    end
  endtask

  always @(posedge clk) begin
    if (rst) begin
      // The first edge in reset is the one that it acts on.
      if (rst_seen > 0 && m_valid !== 1'b0) problem(RESET);
      rst_seen = rst_seen + 1;
      rst_left = rst_left - 1;
      if (rst_left == 0) begin
        // From the edge before the first cycle: what that one finds has been there since.
        if (!started && dump_first == 0) $dumpvars(0, qsim_stream_bulk_tb);
        rst <= 0;
        offer;
        m_ready <= stall_out == 0 && wait_valid == 0;
      end
    end else begin
      if (cycle == 0) zero = $time;
      rules;
      if (cycle == dump_first) begin
        events = $fopen({dir, "/window.txt"}, "w");
        $fdisplay(events, "C %0d %0d", cycle, $time);
      end
      idle = idle + 1;
      if (s_valid && s_ready) begin
        if (events != 0) $fdisplay(events, "A %0d %0d", cycle, sent);
        sent = sent + 1;
        if (idle > longest) longest = idle;
        idle = 0;
      end
      if (m_valid && m_ready) take;
      if (stall_in != 0 || stall_out != 0) random = shuffle(random);
      if (!s_valid || s_ready) offer;
      m_ready <= (stall_out == 0 || {16'd0, random[31:16]} >= stall_out)
          && (wait_valid == 0 || (m_valid && !m_ready));
      if (cycle == dump_first - 1) $dumpvars(0, qsim_stream_bulk_tb);
      if (dump_last >= 0 && cycle == dump_last) finish;
      // A reset that was due in the one before comes right after it.
      if (next_reset < resets && cycle >= reset_at[next_reset]) start_reset;
      else if (taken >= outputs && sent >= inputs) begin
        if (next_reset >= resets && ((idle > drain && idle > longest) || broken[EXTRA])) finish;
      end else if (idle >= idle_limit && idle >= idle_factor * longest) begin
        problem(HANG);
        finish;
      end
    end
    if (started) cycle = cycle + 1;
    else if (rst_left == 0) started = 1;
  end
endmodule

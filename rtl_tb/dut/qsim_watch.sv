// Watches one handshake of somebody else's design on the design's own nets, and tells what broke.
//
// What it finds goes to the file watch.<ID>.txt when the simulation ends:
//   rule <name> <time> <times> <before> <now>    a broken rule: first edge, how often, two values
//   state <valid> <ready> <since> <outstanding> <paused> <held>
//   end
// Times are those of rising edges of clk, in ns: the benches may count cycles of another clock.
// `state` is that of the last edge with rst low: both levels, the time since which they have not
// moved, operations that were taken and have not been answered, and cycles: between beats without
// valid, and with valid that waited for ready.
//
// Rules of an output (the design drives valid, data and last):
//   unknown    valid is x or z
//   withdrawn  valid fell before ready
//   changed    data changed while valid waited for ready: what it was, what it is
//   reset      valid is active, or unknown, at the last edge of a reset that lasts two cycles or more
//   surplus    a result was given while no operation was outstanding
//   last       last is not what the operation had: what it must be, what it is
// Rules of an input (the design drives ready):
//   unknown    ready is x or z while valid is high
`timescale 1ns / 1ns
// One process does everything, with blocking assignments; nothing in the design sees them.
/* verilator lint_off BLKSEQ */
module qsim_watch #(
    parameter int ID = 0,
    parameter int W = 1,       // bits of data
    parameter bit OUTPUT = 1,  // whether the design drives valid and data, or ready
    parameter bit LAST = 0     // whether the design has a last
) (
    input logic         clk,
    input logic         rst,
    input logic         valid,
    input logic         ready,
    input logic [W-1:0] data,
    input logic         last,
    input logic         wanted,  // what last must be
    input logic         asked    // an operation that makes a result is taken at this edge
);
`ifndef SYNTHESIS
  localparam int RULES = 6;
  localparam int UNKNOWN = 0, WITHDRAWN = 1, CHANGED = 2, RESET = 3, SURPLUS = 4, WRONG_LAST = 5;

  reg [63:0] first[0:RULES-1];  // time
  integer times[0:RULES-1];
  reg waiting = 0;
  reg [W:0] waited, old, now;
  reg was = 0, is = 0;
  integer in_reset = 0;  // edges that reset has been high
  reg high = 0;          // valid was not low at the last of them
  reg [1:0] levels = 0;
  reg [63:0] since = 0;
  integer outstanding = 0;
  integer paused = 0, held = 0;
  integer silence = -1;  // cycles without valid since the last beat; -1 before the first one

  integer i, file;
  initial
    for (i = 0; i < RULES; i = i + 1) begin
      first[i] = 0;
      times[i] = 0;
    end

  task broken(input integer rule);
    begin
      if (times[rule] == 0) begin
        first[rule] = $time;
        if (rule == CHANGED) begin
          old = waited;
          now = {last, data};
        end
        if (rule == WRONG_LAST) begin
          was = wanted;
          is = last;
        end
      end
      times[rule] = times[rule] + 1;
    end
  endtask

  task result;
    begin
      if (asked) outstanding = outstanding + 1;
      if (^valid === 1'bx) broken(UNKNOWN);
      if (waiting && valid === 1'b0) broken(WITHDRAWN);
      if (waiting && valid === 1'b1 && {last, data} !== waited) broken(CHANGED);
      if (valid === 1'b1 && ready === 1'b1) begin
        if (outstanding == 0) broken(SURPLUS);
        else begin
          outstanding = outstanding - 1;
          if (LAST && last !== wanted) broken(WRONG_LAST);
        end
      end
      waiting = valid === 1'b1 && ready === 1'b0;
      waited = {last, data};
    end
  endtask

  always @(posedge clk) begin
    if (rst) begin
      high = in_reset > 0 && valid !== 1'b0;
      in_reset = in_reset + 1;
      waiting = 0;
    end else begin
      if (OUTPUT && high) broken(RESET);
      high = 0;
      if (in_reset > 0) begin  // not before: the run may end with a reset
        in_reset = 0;
        outstanding = 0;
        since = $time;
      end
      if (OUTPUT) result;
      else if (valid === 1'b1 && ^ready === 1'bx) broken(UNKNOWN);
      if (valid === 1'b1) begin
        if (silence > 0) paused = paused + silence;
        silence = ready === 1'b1 ? 0 : -1;
        if (ready === 1'b0) held = held + 1;
      end else if (silence >= 0) silence = silence + 1;
      if ({valid, ready} !== levels) since = $time;
      levels = {valid, ready};
    end
  end

  string dir;
  final begin  // it can call no task
    if ($value$plusargs("dir=%s", dir) == 0) dir = ".";
    file = $fopen($sformatf("%s/watch.%0d.txt", dir, ID), "w");
    if (times[RESET] != 0)
      $fdisplay(file, "rule reset %0d %0d - -", first[RESET], times[RESET]);
    if (times[UNKNOWN] != 0)
      $fdisplay(file, "rule unknown %0d %0d - -", first[UNKNOWN], times[UNKNOWN]);
    if (times[WITHDRAWN] != 0)
      $fdisplay(file, "rule withdrawn %0d %0d - -", first[WITHDRAWN], times[WITHDRAWN]);
    if (times[CHANGED] != 0)
      $fdisplay(file, "rule changed %0d %0d %b %b", first[CHANGED], times[CHANGED], old, now);
    if (times[SURPLUS] != 0)
      $fdisplay(file, "rule surplus %0d %0d - -", first[SURPLUS], times[SURPLUS]);
    if (times[WRONG_LAST] != 0)
      $fdisplay(file, "rule last %0d %0d %b %b", first[WRONG_LAST], times[WRONG_LAST], was, is);
    $fwrite(file, "state %b %b %0d %0d ", levels[1], levels[0], since, outstanding);
    $fdisplay(file, "%0d %0d", paused, held);
    $fdisplay(file, "end");
    $fclose(file);
  end
`endif
endmodule

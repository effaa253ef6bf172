"""Modules with ports of many styles, and what `qsim cosim --init` makes of each."""

from __future__ import annotations

PACKAGE = """
package widths_pkg;
  parameter int W = 32;
  typedef struct packed { logic signed [W-1:0] acc; logic signed [31:0] mult;
    logic [5:0] shift; } op_t;
endpackage
"""
INTERFACE = """
interface stream_if #(parameter int W = 8) (input logic clk);
  logic tvalid, tready;
  logic [W-1:0] tdata;
  modport sink (input tvalid, tdata, output tready);
  modport source (output tvalid, tdata, input tready);
endinterface
"""
LATENCY = "latency: no port says when a result is there; count the cycles from operands to result"
UNUSABLE = (
    "it cannot be used yet: [input]: the beats of correlation form packets: the design needs a "
    'port that says which is the last (accepted: last = "...", or packet = N where it counts to N '
    "by itself)"
)
# Name of the file, its text, the primitive (or none: guessed), lines of the draft, what is to do.
STYLES = {
    "a structure of a package, valid and ready": (
        """
module requant_unit import widths_pkg::*; #(parameter int unsigned DEPTH = 2,
    parameter string MODE = "up", parameter logic [99:0] MASK = 100'h1_0000_0000_0000_0000) (
  input logic clk_i, input logic rst_ni, input logic test_mode_i,
  input op_t op_i, input logic op_valid_i, output logic op_ready_o, input logic [8:0] cfg_zp_i,
  output logic signed [7:0] code_o, output logic code_valid_o, input logic code_ready_i);
  always_ff @(posedge clk_i, negedge rst_ni)
    if (~rst_ni) code_o <= '0; else code_o <= op_i.acc[7:0];
endmodule
""",
        "",
        """
primitive = "requantize"
sources = ["widths_pkg.sv", "unit.sv"]
clock = "clk_i"
handshake = "axi_stream"
# DEPTH = 2
# MODE = "up"
# MASK = { bits = 100, hex = "10000000000000000" }
port = "rst_ni"
active = "low"
valid = "op_valid_i"
ready = "op_ready_o"
valid = "code_valid_o"
ready = "code_ready_i"
test_mode_i = 0
acc = { port = "op_i", bits = 32, signed = true, lsb = 38 }
multiplier = { port = "op_i", bits = 32, signed = true, lsb = 6 }
shift = { port = "op_i", bits = 6, signed = false }
zero_point = { port = "cfg_zp_i", bits = 9, signed = true, static = true }
input_zero_point = 0
high = 127
y = { port = "code_o", bits = 8, signed = true }
""",
        [],
    ),
    "start, done and busy, in a list of Verilog-1995": (
        """
module add_bias (clk, nReset, go, acc, b, finished, busy, sum);
  input clk, nReset, go; input [31:0] acc, b; output finished, busy; output [31:0] sum;
  reg [31:0] sum;
  always @(posedge clk or negedge nReset) if (!nReset) sum <= 0; else sum <= acc + b;
endmodule
""",
        "bias_add",
        """
handshake = "start_done"
port = "nReset"
active = "low"
start = "go"
done = "finished"
busy = "busy"
acc = { port = "acc", bits = 32, signed = true }
bias = { port = "b", bits = 32, signed = true }
sum = { port = "sum", bits = 32, signed = true }
""",
        [],
    ),
    "no clock, numbered ports": (
        """
module max4 (input signed [7:0] a0, a1, a2, a3, b0, b1, b2, b3,
  output signed [7:0] y0, y1, y2, y3);
  assign y0 = a0 > b0 ? a0 : b0;
endmodule
""",
        "maximum",
        """
handshake = "fixed_latency"
latency = 0
lanes = 4
a = { port = ["a0", "a1", "a2", "a3"], bits = 8, signed = true }
y = { port = ["y0", "y1", "y2", "y3"], bits = 8, signed = true }
""",
        [],
    ),
    "a converter with pvld and prdy, its results wider than codes": (
        """
module requant_cvt (core_clk, core_rstn, cfg_mode, cfg_offset, cfg_scale, cfg_truncate,
    in_pvld, in_prdy, in_pd, out_pvld, out_prdy, out_pd);
  input core_clk, core_rstn, in_pvld, out_prdy; input [1:0] cfg_mode;
  input [31:0] cfg_offset, cfg_scale; input [5:0] cfg_truncate; input [127:0] in_pd;
  output in_prdy, out_pvld; output reg [63:0] out_pd;
  always @(posedge core_clk or negedge core_rstn) if (!core_rstn) out_pd <= 0;
endmodule
""",
        "requantize",
        """
handshake = "axi_stream"
lanes = 4
valid = "in_pvld"
ready = "in_prdy"
valid = "out_pvld"
ready = "out_prdy"
cfg_mode = 0
acc = { port = "in_pd", bits = 32, signed = true }
shift = { port = "cfg_truncate", bits = 6, signed = false, static = true, shared = true }
y = { port = "out_pd", bits = 16, signed = true }
""",
        [
            "lanes: 4 of 32 bits in in_pd are taken, not 8 of 16: check lanes, and bits of acc",
            "cfg_mode is no field: tied to 0, or name what it is",
        ],
    ),
    "a word with several fields": (
        """
module requant_word (input clk, rst_n, s_tvalid, input [63:0] s_tdata,
    output reg m_tvalid, output reg [7:0] m_tdata);
  always @(posedge clk) if (!rst_n) m_tvalid <= 0; else m_tvalid <= s_tvalid;
endmodule
""",
        "requantize",
        """
handshake = "valid_only"
acc = { port = "s_tdata", bits = 64, signed = true }
""",
        [
            (
                "s_tdata has 64 bits, acc needs 32: where it holds other fields too, give each its "
                "bits and lsb"
            ),
            "multiplier: no port was found: name it, or fix its value",
            "shift: no port was found: name it, or fix its value",
            (
                "it cannot be used yet: operands: the design must have a port for 'multiplier' (or "
                "a value for it in [fixed]) (accepted: acc (1 x 32 bits), multiplier (1 x 32 "
                "bits), shift (1 x 7 bits), input_zero_point (1 x 9 bits), zero_point (1 x 9 "
                "bits), low (1 x 9 bits), high (1 x 9 bits))"
            ),
        ],
    ),
    "arrays, two clocks, an enable that is low": (
        """
module relu_lanes #(parameter N = 3) (input core_clk, input fast_clk,
  input logic signed [7:0] x [0:N-1], input [N-1:0][3:0] gate, input enable_n,
  output logic signed [7:0] y [N]);
  always @(posedge core_clk) for (int i = 0; i < N; i++) y[i] <= x[i] < 0 ? 0 : x[i];
  reg t; always @(posedge fast_clk) t <= ~t;
endmodule
""",
        "custom",
        """
clock = "core_clk"
fast_clk = { ratio = 1 }
enable_n = 0
x = { bits = 8, signed = true, lanes = 3 }
gate = { bits = 4, signed = false, lanes = 3 }
x = { port = "x", bits = 8, signed = true, unpacked = "ascending" }
gate = { port = "gate", bits = 4, signed = false }
""",
        [
            "clock fast_clk is taken to have the rate of core_clk: check ratio",
            LATENCY,
        ],
    ),
    "interfaces": (
        """
module through (input logic clk, input logic arst_n, stream_if.sink s, stream_if.source m);
  always_ff @(posedge clk or negedge arst_n)
    if (!arst_n) m.tvalid <= 0; else m.tvalid <= s.tvalid;
endmodule
""",
        "reshape",
        """
sources = ["stream_if.sv", "unit.sv"]
s = { type = "stream_if", modport = "sink", clock = "clk" }
valid = "s.tvalid"
ready = "s.tready"
valid = "m.tvalid"
x = { port = "s.tdata", bits = 8, signed = true }
y = { port = "m.tdata", bits = 8, signed = true }
""",
        [],
    ),
    "weights that are loaded, a design that counts": (
        """
module dot #(parameter N = 9) (input clk, rst, load, input signed [7:0] weight,
  input valid, input signed [7:0] x, output logic done, output logic signed [31:0] sum);
  always_ff @(posedge clk) if (rst) done <= 0; else done <= valid;
endmodule
""",
        "",
        """
primitive = "correlation"
handshake = "valid_only"
rows = 1
columns = 1
valid = "done"
weight = { port = "weight", bits = 8, signed = true, loaded = true, valid = "load" }
acc = { port = "sum", bits = 32, signed = true }
""",
        [
            "packets: no input is the last of a packet: set packet = N",
            UNUSABLE,
        ],
    ),
    "streams of their own": (
        """
module add_two (input clk, input rst, input [7:0] a_data, input a_valid, output a_ready,
  input [7:0] b_data, input b_valid, output b_ready, output [7:0] q, output q_valid, input q_ready);
  reg r; always @(posedge clk) if (rst) r <= 0; else r <= a_valid;
endmodule
""",
        "minimum",
        """
valid = "q_valid"
a = { port = "a_data", bits = 8, signed = true, valid = "a_valid", ready = "a_ready" }
b = { port = "b_data", bits = 8, signed = true, valid = "b_valid", ready = "b_ready" }
""",
        [],
    ),
}

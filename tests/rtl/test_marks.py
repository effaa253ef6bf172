"""Waves beside the design's own signals: operands, expected values, and where it is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qsim.cosim.lanes import Stimulus, Window, runner
from qsim.cosim.lanes.vcd import Signal, merged
from tests.rtl import faulted

if TYPE_CHECKING:
    from qsim.cosim.lanes import LaneName

AT = 9


class Dump:
    """A value change dump: what a signal, named by its path, holds at a time."""

    def __init__(self, path: Path) -> None:
        self._paths: dict[str, str] = {}
        self._changes: dict[str, list[tuple[int, str]]] = {}
        self.times: list[int] = []
        header, body = path.read_text().split("$enddefinitions $end", 1)
        scope: list[str] = []
        for line in header.splitlines():
            words = line.split()
            if words[:1] == ["$scope"]:
                scope.append(words[2])
            elif words[:1] == ["$upscope"]:
                scope.pop()
            elif words[:1] == ["$var"]:
                self._paths[".".join([*scope, words[4]])] = words[3]
        assert not scope
        for line in body.splitlines():
            if line.startswith("#"):
                self.times.append(int(line[1:]))
            elif found := re.fullmatch(r"b(\S+) (\S+)|([01xz])(\S+)", line):
                code, value = (found[2], found[1]) if found[2] else (found[4], found[3])
                self._changes.setdefault(code, []).append((self.times[-1], value))

    def at(self, path: str, time: int) -> str:
        """Return what a signal holds just before a time; its path may lack what comes first."""
        (code,) = {c for name, c in self._paths.items() if f".{name}".endswith(f".{path}")}
        return [value for when, value in self._changes[code] if when < time][-1]

    def number(self, path: str, time: int, bits: int = 0) -> int:
        """Return it as an integer, signed where its bits are given."""
        value = int(self.at(path, time), 2)
        return value - (1 << bits) if bits and value >> (bits - 1) else value

    def rises(self, path: str) -> list[int]:
        """Return the times at which a signal becomes 1."""
        return [when for when, value in self._changes[self._paths[path]] if value == "1"]


@pytest.mark.parametrize(
    ("simulator", "lane"),
    [
        ("icarus", "bulk"),
        ("icarus", "cocotb"),
        pytest.param("verilator", "bulk", marks=pytest.mark.soak),
        pytest.param("verilator", "cocotb", marks=pytest.mark.soak),
    ],
)
def test_the_wrong_result_is_marked_with_its_operands(
    simulator: str, lane: LaneName, tmp_path: Path
) -> None:
    build = faulted.made("held_adder", simulator, lane, waves=True)
    work = faulted.job(40, {AT: 13})
    held = Stimulus(3, stall_output=0.5)
    cycle = runner(lane)(work, build, held).differences[0].cycle
    path = tmp_path / "marked.vcd"

    runner(lane)(work, build, held, window=Window(cycle - 20, cycle + 8, path))

    dump = Dump(path)
    (begin,) = dump.rises("qsim.mismatch")
    edge = begin + 10  # at which the wrong sum is taken
    values = work.unit.inputs.unpack(work.beats)
    acc, bias = (int(values[name][AT, 0]) for name in ("acc", "bias"))
    assert dump.number("qsim.cycle", edge) == cycle
    assert dump.number("qsim.result.number", edge) == AT
    assert dump.number("qsim.result.expected_sum", edge, 16) == acc + bias
    assert dump.number("qsim.result.actual_sum", edge, 16) == acc + bias + 1
    assert dump.number("qsim.result.of.acc", edge, 16) == acc
    assert dump.number("qsim.result.of.bias", edge, 16) == bias
    assert dump.number("qsim.result.of.fault", edge) == 13
    # The design's own ports, at that edge and where its operands were accepted.
    assert dump.number("theirs.sum", edge, 16) == acc + bias + 1
    assert dump.at("theirs.sum_valid", edge) == dump.at("theirs.sum_ready", edge) == "1"
    accepted = next(
        time
        for time in range(edge - 200, edge, 10)
        if time > dump.times[0]
        and dump.number("qsim.operands.number", time) == AT
        and dump.at("theirs.op_valid", time) == dump.at("theirs.op_ready", time) == "1"
    )
    assert dump.number("qsim.operands.acc", accepted, 16) == acc
    assert dump.number("theirs.acc", accepted, 16) == acc
    assert dump.rises("qsim.violation") == []


def test_a_broken_rule_is_marked(tmp_path: Path) -> None:
    build = faulted.made("held_adder", "icarus", "bulk", waves=True)
    work, held = faulted.job(40, {AT: 4}), Stimulus(3, stall_output=0.5, wait_for_valid=True)
    (problem,) = runner("bulk")(work, build, held).problems
    path = tmp_path / "marked.vcd"

    runner("bulk")(work, build, held, window=Window(problem.cycle - 9, problem.cycle + 3, path))

    dump = Dump(path)
    (begin,) = dump.rises("qsim.violation")
    assert dump.number("qsim.cycle", begin + 10) == problem.cycle
    assert dump.at("theirs.sum_valid", begin) == "1"
    assert dump.at("theirs.sum_ready", begin) == "0"
    assert dump.at("theirs.sum", begin + 10) != dump.at("theirs.sum", begin)


def test_a_wrong_first_cycle_is_in_the_waves(tmp_path: Path) -> None:
    build = faulted.made("through_adder", "icarus", "bulk", waves=True)
    work = faulted.job(4)
    work.expected[0, 0] ^= 1
    path = tmp_path / "marked.vcd"

    runner("bulk")(work, build, Stimulus(), window=Window(0, 8, path))

    dump = Dump(path)
    edge = dump.rises("qsim.mismatch")[0] + 10
    assert dump.number("qsim.cycle", edge) == 0
    assert dump.number("theirs.sum", edge) == dump.number("qsim.result.actual_sum", edge)


HEADER = """$timescale 1ps $end
$scope module TOP $end
$var wire 1 q clk $end
$var wire 4 ! d [3:0] $end
$upscope $end
$enddefinitions $end
"""


def test_signals_are_put_into_a_dump_in_the_order_of_time() -> None:
    signals = [Signal(("qsim",), "mark", 1), Signal(("qsim", "of"), "x", 4)]
    for time, bit in ((0, "0"), (6, "1"), (7, "1"), (8, "0"), (99, "1")):
        signals[0].show(time, bit)
    signals[1].show(5, "10x1")
    lines = f"{HEADER}#5000\n1q\n#8000\n0q\n".splitlines(keepends=True)

    made = "".join(merged(lines, signals))

    assert made == (
        HEADER.replace("$enddefinitions $end\n", "")
        + "$scope module qsim $end\n$var wire 1 qq0 mark $end\n$scope module of $end\n"
        + "$var wire 4 qq1 x [3:0] $end\n$upscope $end\n$upscope $end\n$enddefinitions $end\n"
        + "#5000\n0qq0\nb10x1 qq1\n1q\n#6000\n1qq0\n#8000\n0qq0\n0q\n"
    )


def test_a_dump_that_ends_in_its_header_stays_as_it_is() -> None:
    lines = ["$timescale 1ns $end\n", "$scope module t $end\n"]
    assert list(merged(lines, [Signal((), "x", 1)])) == lines

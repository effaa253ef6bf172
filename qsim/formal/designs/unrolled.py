"""A design over time: its result as a term over the operands of one operation.

Three runs. ``anywhere``: the registers hold anything, and so do all ports in all other cycles; what
holds of it holds of every run. Where it fails, the other two begin with a reset, so that what fails
is real: one operation ``alone``, and one in a ``row`` of operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import z3

from qsim.cosim.dut import port_of, values_in
from qsim.formal.clocked import run
from qsim.formal.designs.encoding import encoded
from qsim.formal.designs.machine import RESET, Machine

if TYPE_CHECKING:
    from collections.abc import Mapping


Cycle: TypeAlias = "dict[str, Any]"  # by input: a term
_QUIET: Final = 4  # cycles after it
_ROW: Final = 4  # operations before and behind the one in question, at most


@dataclass(frozen=True)
class Unrolled(Machine):
    """One operation of a design.

    Attributes:
        lane: which operation of a beat.
    """

    lane: int

    @property
    def own(self) -> dict[str, Any]:
        """The operands of the operation in question: a constant of each field's name."""
        return {each.name: z3.BitVec(each.name, each.bits) for each in self.unit.inputs.fields}

    @property
    def reach(self) -> int:
        """How many operations there are before, and behind, the one in a row."""
        return min(-(-self.dut.latency // self.dut.interval), _ROW)

    def anywhere(self) -> Any:
        """Return the result of the operation, whatever happens around it."""
        before = self.dut.settle if self.dut.static else 0
        cycles = []
        for number in range(before + 1 + self.dut.latency):
            distance = abs(number - before)
            given = self._static(self.own) | {"rst": _bit(0)}
            if distance == 0:
                given |= self._operation(self.own) | {"in_0": _bit(1)}
            elif distance < self.dut.interval:
                given["in_0"] = _bit(0)
            cycles.append(given)
        return self._result(cycles, self.fixed)

    def alone(self) -> Any:
        """Return the result of the operation after a reset, the ports unchanged all the time."""
        before, resets = self._start()
        same = self._static(self.own) | self._operation(self.own, everywhere=True)
        cycles = [
            same | {"rst": _bit(number < resets), "in_0": _bit(number == before)}
            for number in range(before + 1 + self.dut.latency)
        ]
        return self._result(cycles, self.machine.initial)

    def row(self, others: Mapping[int, Mapping[str, Any]]) -> Any:
        """Return the result of the operation in a row of operations after a reset.

        Args:
            others: the operands of the operations before (-1, -2, ...) and behind (1, 2, ...) it.
        """
        start, resets = self._start()
        step = self.dut.interval
        first, last = min([*others, 0]), max([*others, 0])
        at = start - first * step
        cycles = []
        for number in range(max(at + 1 + self.dut.latency, at + last * step + 1)):
            turn, rest = divmod(number - at, step)
            # Between operations the ports show the next one, before the first one that one.
            shown = min(max(turn + (rest > 0), first), last)
            operands = self.own if shown == 0 else others[shown]
            valid = rest == 0 and first <= turn <= last
            given = self._static(self.own) | self._operation(operands, everywhere=True)
            cycles.append(given | {"rst": _bit(number < resets), "in_0": _bit(valid)})
        return self._result(cycles[: at + 1 + self.dut.latency], self.machine.initial)

    def _start(self) -> tuple[int, int]:
        """Return the cycle of the first operation of a run, and the cycles of its reset."""
        resets = RESET if self.dut.reset else 0
        return resets + _QUIET + (self.dut.settle if self.dut.static else 0), resets

    def _operation(self, operands: Mapping[str, Any], *, everywhere: bool = False) -> Cycle:
        """Return what lies at the ports of an operation, of all of a beat if ``everywhere``."""
        return {
            port_of(name, index): encoded(operands[name], self.unit, name, binding)
            for name, index, binding in values_in(self.dut, self.unit)
            if not binding.static and (everywhere or binding.shared or index == self.lane)
        }

    def _static(self, operands: Mapping[str, Any]) -> Cycle:
        """Return the registers of the layer; those of other lanes are free, but do not change."""
        found = {}
        for name, index, binding in values_in(self.dut, self.unit):
            if binding.static:
                mine = binding.shared or index == self.lane
                term = encoded(operands[name], self.unit, name, binding)
                found[port_of(name, index)] = (
                    term if mine else z3.BitVec(f"{name} of lane {index}", binding.bits)
                )
        return found

    def _result(self, cycles: list[Cycle], start: Mapping[str, Any] | None = None) -> Any:
        *_, last = run(self.machine, cycles, start)
        return last[port_of(self.unit.outputs.fields[0].name, self.lane)]


def _bit(on: bool | int) -> Any:
    return z3.BitVecVal(int(on), 1)

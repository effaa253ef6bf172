"""Registers that a reset sets for good: no run changes them, so they are constants of a proof."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import z3

from qsim.formal.clocked import run

if TYPE_CHECKING:
    from qsim.formal.clocked import Clocked

_MILLISECONDS: Final = 2000  # for each register; what is not decided counts as one that changes


def settled(machine: Clocked, cycles: int) -> dict[str, Any]:
    """Return the registers that keep for ever what a reset gives them.

    Proved by induction: after ``cycles`` of reset each of them holds its value, whatever it held
    before, and while all of them do, no input without reset changes one.

    Args:
        machine: has an input ``rst``, active high.
        cycles: of the reset.

    Returns:
        The value of each, by the name of its constant.
    """
    found = _after_reset(machine, cycles)
    while True:
        kept = [register for register, _ in machine.state if str(register) in found]
        pairs = [(register, found[str(register)]) for register in kept]
        pairs.append((z3.BitVec("rst", 1), z3.BitVecVal(0, 1)))
        changed = [
            str(register)
            for register, after in machine.state
            if str(register) in found
            and _differ(z3.substitute(after, *pairs), found[str(register)])
        ]
        if not changed:
            return found
        for name in changed:
            del found[name]


def _after_reset(machine: Clocked, cycles: int) -> dict[str, Any]:
    """Return the registers that have one value after a reset, whatever happens in it."""
    plain = [(register, after) for register, after in machine.state if not z3.is_array(register)]
    watched = replace(machine, outputs={f"after {register}": after for register, after in plain})
    *_, last = run(watched, [{"rst": z3.BitVecVal(1, 1)}] * cycles)
    values = {name.removeprefix("after "): z3.simplify(term) for name, term in last.items()}
    return {
        name: value
        for name, value in values.items()
        if z3.is_bv_value(value) or z3.is_true(value) or z3.is_false(value)
    }


def _differ(term: Any, value: Any) -> bool:
    difference = z3.simplify(term != value)
    if z3.is_false(difference):
        return False
    solver: Any = z3.Solver()
    solver.set("timeout", _MILLISECONDS)
    return bool(solver.check(difference) != z3.unsat)

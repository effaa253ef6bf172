"""Registers that never change again after a reset, or from the start: constants of a proof."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import z3

from qsim.formal.clocked import run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.formal.clocked import Clocked

_MILLISECONDS: Final = 2000  # for each register; what is not decided counts as one that changes


def settled(machine: Clocked, cycles: int) -> dict[str, Any]:
    """Return the registers that keep for ever what a reset, or the design's text, gives them.

    Proved by induction: some hold what they begin with, and no input changes one. After ``cycles``
    of reset others hold a value, whatever they held before, and while all of them do, no input
    without reset changes one.

    Args:
        machine: has an input ``rst``, active high.
        cycles: of the reset; 0 without one.

    Returns:
        The value of each, by the name of its constant.
    """
    kept = _unchanged(machine, dict(machine.initial), [])
    if not cycles:
        return kept
    no_reset = [(z3.BitVec("rst", 1), z3.BitVecVal(0, 1))]
    return _unchanged(machine, _after_reset(machine, cycles, kept) | kept, no_reset)


def _unchanged(machine: Clocked, found: dict[str, Any], given: list[Any]) -> dict[str, Any]:
    """Return the registers of ``found`` that keep their values whatever the inputs are."""
    while True:
        kept = [register for register, _ in machine.state if str(register) in found]
        pairs = [*given, *((register, found[str(register)]) for register in kept)]
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


def _after_reset(machine: Clocked, cycles: int, kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return the registers that have one value after a reset, whatever happens in it."""
    plain = [(register, after) for register, after in machine.state if not z3.is_array(register)]
    watched = replace(machine, outputs={f"after {register}": after for register, after in plain})
    *_, last = run(watched, [{"rst": z3.BitVecVal(1, 1)}] * cycles, kept)
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

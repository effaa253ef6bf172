"""A module with its scoreboard, cycle by cycle from a reset on: where does ``ok`` first fail?"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

import z3

if TYPE_CHECKING:
    from collections.abc import Mapping

# Enough for a load, a read, and two beats that wait.
CYCLES: Final = 6
_SIGNALS: Final = (
    "rst",
    *(f"{side}_axis_{name}" for side in "sm" for name in ("tvalid", "tready", "tdata", "tlast")),
    "ok",
)
_WIRE: Final = re.compile(r"^; yosys-smt2-wire (\S+) (\d+)$", re.MULTILINE)


def first_failure(
    text: str, after_reset: str, timeout: float
) -> tuple[Mapping[str, int], ...] | None:
    """Return the shortest run from a reset to a cycle without ``ok``.

    Args:
        text: what ``yosys.smt2`` returned.
        after_reset: in SMT-LIB, what is true of the first cycle, the state ``s0``.
        timeout: seconds, of all queries.

    Returns:
        The ports and ``ok`` in each cycle; None where no run of ``CYCLES`` cycles fails, or none
        was found in time.
    """
    widths = dict(_WIRE.findall(text))
    wires = {name: int(widths[name]) for name in _SIGNALS}
    solver: Any = z3.Solver()
    solver.add(z3.parse_smt2_string("\n".join(_unrolled(text, after_reset, wires))))
    end = time.monotonic() + timeout
    for last in range(1, CYCLES + 1):
        left = int((end - time.monotonic()) * 1000)
        if left <= 0:
            return None
        solver.set("timeout", left)
        if solver.check(z3.Not(z3.Bool(f"ok {last}"))) == z3.sat:
            model = solver.model()
            return tuple(_cycle(model, wires, number) for number in range(last + 1))
    return None


def _unrolled(text: str, after_reset: str, wires: Mapping[str, int]) -> list[str]:
    lines = [text]
    for number in range(CYCLES + 1):
        lines.append(f"(declare-const s{number} |top_s|)")
        for name, bits in wires.items():
            sort = "Bool" if bits == 1 else f"(_ BitVec {bits})"
            lines.append(f"(declare-const |{name} {number}| {sort})")
            lines.append(f"(assert (= |{name} {number}| (|top_n {name}| s{number})))")
    lines += [f"(assert (|top_t| s{number} s{number + 1}))" for number in range(CYCLES)]
    return [*lines, f"(assert {after_reset})"]


def _cycle(model: Any, wires: Mapping[str, int], number: int) -> dict[str, int]:
    values = {}
    for name, bits in wires.items():
        term = z3.Bool(f"{name} {number}") if bits == 1 else z3.BitVec(f"{name} {number}", bits)
        value = model.eval(term, model_completion=True)
        values[name] = int(z3.is_true(value)) if bits == 1 else value.as_long()
    return values

"""The memory of every built-in model at batch 1: our plan, the lower bound, ExecuTorch's greedy.

    python -m benchmarks.bench_memory [MODEL ...]

All three are for the same buffers with the same live ranges, those of the target ``tflite``, in
bytes. ``plan`` is the smallest of our three planners' plans; ``bound`` the largest sum of what
lives at once: no plan is smaller. ``separate`` is what the tensors would take without any sharing,
``in place`` how many of them take an operand's place.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

import qsim
from qsim.executorch.adapter import greedy_bytes
from qsim.memory import plan
from qsim.models.registry import builtin
from qsim.models.spec import load

if TYPE_CHECKING:
    from qsim.program.program import Program


# Columns, with the planner of ours whose bytes are there.
TITLES = {
    "plan": "smallest", "by size": "greedy-by-size", "best fit": "best-fit", "in turn": "in-turn",
    "bound": "", "executorch": "", "separate": "",
}  # fmt: skip


def programs(name: str) -> tuple[Program, ...]:
    """Return the Programs of a built-in model."""
    model = load(name)
    calibration = [tuple(value[:1] for value in model.example_inputs)]
    target = qsim.Target.load("tflite")
    quantized = qsim.quantize(model.module, model.example_inputs, target, calibration=calibration)
    return qsim.lower(quantized).programs


def line(name: str, program: Program) -> str:
    """Return the row of a Program."""
    allocation = program.allocate()
    chosen, buffers = allocation.plan, list(allocation.plan.buffers.values())
    sizes = [plan(buffers, chosen.space, planner).size for planner in TITLES.values() if planner]
    theirs = greedy_bytes(buffers, chosen.space.alignment)
    places = allocation.places()
    separate = sum(place.size for place in places)
    shared = sum(bool(place.instead) for place in places)
    verdict = "met" if chosen.size <= theirs else "MISSED"
    figures = "".join(f"{value:>11,}" for value in (*sizes, chosen.bound, theirs, separate))
    return f"{name:<13}{figures}{shared:>9}  {verdict}"


def main(names: tuple[str, ...] = ()) -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    print(f"{'model':<13}{''.join(f'{title:>11}' for title in TITLES)}{'in place':>9}")
    for name in names or tuple(known.name for known in builtin() if known.extra in ("", "models")):
        for program in programs(name):
            print(line(name, program), flush=True)


if __name__ == "__main__":
    main(tuple(sys.argv[1:]))

"""Whose place a tensor takes: that of an operand which nobody reads again, or its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.program import PRIMITIVES, live_ranges

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qsim.program import Call, ProgramData
    from qsim.stream.layout import Layout
    from qsim.stream.steps import Step


def homes(
    program: ProgramData, steps: Sequence[Step], layouts: Mapping[str, Layout]
) -> dict[str, str]:
    """Return, for every tensor in memory, the tensor whose buffer it lives in.

    A result takes an operand's buffer where the primitive's binding allows it, elements of both lie
    at the same addresses, and no later step reads what lies there.
    """
    ranges = live_ranges([step.uses for step in steps])
    found: dict[str, str] = {}
    for index, step in enumerate(steps):
        if not step.write:
            continue
        found[step.write] = step.write
        if len(step.calls) != 1:
            continue
        for name in overwritable(program.calls[step.calls[0]]):
            if name in program.constants or not alike(layouts[name], layouts[step.write]):
                continue
            sharing = [other for other, home in found.items() if home == found[name]]
            if all(ranges[other][1] <= index for other in sharing):
                found[step.write] = found[name]
                break
    return found


def overwritable(call: Call) -> tuple[str, ...]:
    """Return the operands of a call that its result may overwrite, element by element."""
    binding = PRIMITIVES[call.primitive]
    names = zip(binding.slots(len(call.inputs)), call.inputs, strict=True)
    return tuple(name for slot, name in names if slot in binding.overwrites)


def alike(x: Layout, y: Layout) -> bool:
    """Return whether the elements of both lie at the same distances from the start."""
    if x.dtype.itemsize != y.dtype.itemsize or x.size != y.size:
        return False
    return (x.shape, x.order) == (y.shape, y.order) or (x.plain and y.plain)

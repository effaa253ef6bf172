"""Simulates a memory byte by byte: who wrote each byte last, and who reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qsim.memory import Plan, Space
    from qsim.stream.allocation import Allocation
    from qsim.stream.compile import Compiled

NOBODY = -1


def check_banks(offset: int, size: int, space: Space) -> None:
    """What fits in one bank lies in one; what is larger begins where one begins."""
    if space.limited and space.banks > 1 and size:
        bank = space.bytes // space.banks
        assert bank == space.bank_bytes
        touched = sorted({byte // bank for byte in range(offset, offset + size)})
        assert space.banks_of(offset, size) == (touched[0], touched[-1])
        assert offset % bank == 0 if size > bank else len(touched) == 1


def check_plan(planned: Plan, *, banked: bool = True) -> None:
    """Every buffer writes its bytes when it begins to live, and owns them until it dies.

    Args:
        planned: what to check.
        banked: whether banks are kept.
    """
    names = list(planned.buffers)
    owner = np.full(planned.size, NOBODY)
    for step in range(max((b.last for b in planned.buffers.values()), default=-1) + 1):
        for number, name in enumerate(names):
            if planned.buffers[name].first == step:
                at = planned.offsets[name]
                owner[at : at + planned.buffers[name].size] = number
        for number, name in enumerate(names):
            buffer = planned.buffers[name]
            if buffer.first <= step <= buffer.last:
                at = planned.offsets[name]
                assert np.all(owner[at : at + buffer.size] == number), (step, name)
    assert banked == (not planned.astray)
    for name in names if banked and planned.fits else ():
        check_banks(planned.offsets[name], planned.buffers[name].size, planned.space)


def check_steps(allocation: Allocation) -> int:
    """Run the steps of a Program; return in how many a result takes an operand's place."""
    offsets = {name: allocation.plan.offsets[h] for name, h in allocation.homes.items()}
    sizes = {name: allocation.layouts[name].bytes for name in offsets}
    for name in offsets:
        check_banks(offsets[name], sizes[name], allocation.plan.space)
    uses = [(step.reads, step.write) for step in allocation.steps]
    return _simulate(uses, offsets, sizes, allocation.homes, allocation.plan.size)


def check_commands(compiled: Compiled) -> int:
    """Run the commands of a stream, with what lies behind the plan; return as ``check_steps``."""
    names = {name for c in compiled.commands for name in (*c.reads, c.write) if name}
    offsets = {name: compiled.offset(name) for name in names}
    sizes = {name: compiled.allocation.layouts[name].bytes for name in names}
    uses = [(command.reads, command.write) for command in compiled.commands]
    return _simulate(uses, offsets, sizes, compiled.homes, compiled.arena)


def _simulate(
    uses: Iterable[tuple[tuple[str, ...], str]],
    offsets: Mapping[str, int],
    sizes: Mapping[str, int],
    homes: Mapping[str, str],
    size: int,
) -> int:
    names = sorted(offsets)
    owner = np.full(size, NOBODY)
    replaced = 0
    for reads, write in uses:
        for name in reads:
            part = owner[offsets[name] : offsets[name] + sizes[name]]
            assert len(part) == sizes[name]
            assert np.all(part == names.index(name)), f"{name} is read, but lost"
        if not write:
            continue
        start, stop = offsets[write], offsets[write] + sizes[write]
        assert stop <= size
        for name in reads:
            # Element by element: an element is read before it is written.
            if name in homes and homes[name] == homes.get(write):
                assert (offsets[name], sizes[name]) == (start, sizes[write])
                replaced += 1
            else:
                assert offsets[name] + sizes[name] <= start or stop <= offsets[name], (name, write)
        owner[start:stop] = names.index(write)
    return replaced

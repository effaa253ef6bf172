"""Simulates a memory byte by byte: who wrote each byte last, and who reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models.stream import fields as f

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qsim.memory import Plan, Space
    from qsim.stream.allocation import Allocation
    from qsim.stream.compile import Compiled
    from qsim.stream.homes import Homes

    Array = np.ndarray[Any, Any]

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
    offsets = {name: allocation.offset(name) for name in allocation.homes.buffers}
    sizes = {name: allocation.layouts[name].bytes for name in offsets}
    for name in offsets:
        check_banks(offsets[name], sizes[name], allocation.plan.space)
        assert offsets[name] % allocation.plan.space.alignment == 0
    memory = _Bytes(offsets, sizes, allocation.homes, allocation.plan.size)
    for step in allocation.steps:
        memory.step(step.reads, step.write, None)
    return memory.replaced


def check_commands(compiled: Compiled) -> int:
    """Run the commands of a stream, with what lies behind the plan; return as ``check_steps``."""
    names = {name for c in compiled.commands for name in (*c.reads, c.write) if name}
    names |= compiled.homes.buffers.keys()
    offsets = {name: compiled.offset(name) for name in names}
    sizes = {name: compiled.layouts[name].bytes for name in names}
    homes = compiled.homes
    # Without a command, what takes an operand's place is that operand.
    same = {n: homes.instead[n] for n in compiled.copyless if n in homes.instead}
    homes = replace(homes, within={**homes.within, **same})
    memory = _Bytes(offsets, sizes, homes, compiled.arena)
    for number, command in enumerate(compiled.commands):
        memory.step(command.reads, command.write, touched(compiled, number))
    return memory.replaced


def touched(compiled: Compiled, number: int) -> Array | None:
    """Return the addresses that a copy to a part of its result writes, else None."""
    command, row = compiled.commands[number], compiled.table[number]
    if command.op != f.COPY or not command.write:
        return None
    at = np.zeros(1, np.int64)
    for i in range(f.DIMENSIONS):
        steps = np.arange(row[f.D0 + i]) * row[f.T0 + i]
        at = (at[:, None] + steps).reshape(-1)
    bytes_ = (at[:, None] * row[f.ITEM] + np.arange(row[f.ITEM])).reshape(-1)
    return bytes_ + row[f.Y] + row[f.Y_START]


class _Bytes:
    """An arena whose bytes know which tensor's they are, and which of it.

    A byte of a tensor that is a part of another is that one's byte: it has one name.
    """

    def __init__(
        self, offsets: Mapping[str, int], sizes: Mapping[str, int], homes: Homes, size: int
    ) -> None:
        self.offsets, self.sizes, self.homes, self.replaced = offsets, sizes, homes, 0
        starts, at = {}, 1
        for name in sorted(offsets):
            starts[name], at = at, at + sizes[name]
        self.ids = {name: starts[name] + np.arange(sizes[name]) for name in starts}
        for _ in offsets:  # a part of a part of ...
            changed = False
            for name, whole in (*homes.within.items(), *sorted(homes.joined)):
                distance = offsets[name] - offsets[whole]
                inner, outer = self.ids[name], self.ids[whole]
                # A slice has its operand's bytes; a concat has its operands'.
                least = np.minimum(inner, outer[distance : distance + len(inner)])
                changed |= bool((least != inner).any())
                changed |= bool((least != outer[distance : distance + len(inner)]).any())
                inner[:] = outer[distance : distance + len(inner)] = least
            if not changed:
                break
        self.bytes = np.zeros(size, np.int64)

    def step(self, reads: Iterable[str], write: str, where: Array | None) -> None:
        """Read tensors and write one, all of it or the addresses that are given."""
        for name in reads:
            part = self.bytes[self.offsets[name] : self.offsets[name] + self.sizes[name]]
            assert len(part) == self.sizes[name]
            assert np.array_equal(part, self.ids[name]), f"{name} is read, but lost"
        if not write:
            return
        start, stop = self.offsets[write], self.offsets[write] + self.sizes[write]
        assert stop <= len(self.bytes)
        if where is None:
            where = np.arange(start, stop)
        assert ((start <= where) & (where < stop)).all()
        made = self.ids[write][where - start]
        for name in reads:
            low, high = self.offsets[name], self.offsets[name] + self.sizes[name]
            inside = (low <= where) & (where < high)
            if not inside.any():
                continue
            if write in self.homes.instead:
                # Element by element: an element is read before it is written.
                assert (low, high) == (start, stop), (name, write)
                self.replaced += 1
            else:
                # The same bytes under another name: nothing changes.
                assert np.array_equal(self.bytes[where[inside]], made[inside]), (name, write)
        self.bytes[where] = made

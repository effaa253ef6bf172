"""From a Program to a command stream for one batch size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from qsim.memory import Buffer, plan
from qsim.program import live_ranges
from qsim.stream import elements, moves, products
from qsim.stream.allocation import allocate
from qsim.stream.command import Command, NotInStream

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from qsim.memory import Plan
    from qsim.program import Array
    from qsim.stream.allocation import Allocation
    from qsim.stream.source import Source
    from qsim.stream.steps import Step

_ENCODERS: Final[Mapping[str, Callable[[Source, int], Command]]] = {
    "correlation": products.encode,
    "linear": products.encode,
    "permute": moves.encode_permute,
    "reshape": moves.encode_reshape,
    "max_pool": moves.encode_pool,
    "avg_pool": moves.encode_pool,
    **dict.fromkeys(elements.UNARY | elements.BINARY, elements.encode),
}


@dataclass(frozen=True, slots=True)
class Compiled:
    """Commands with their addresses.

    Attributes:
        commands: in order; the first load the inputs, the last store the outputs.
        table: int64 [commands, WORDS].
        allocation: where the tensors in memory lie.
        sums: behind them, what steps of several commands leave between those.
        work: bytes of workspace per thread.
    """

    commands: tuple[Command, ...]
    table: Array
    allocation: Allocation
    sums: Plan
    work: int

    @property
    def plan(self) -> Plan:
        """Where the buffers of tensors in memory lie."""
        return self.allocation.plan

    @property
    def homes(self) -> Mapping[str, str]:
        """The buffer that each tensor in memory lives in: its own, or that of an operand."""
        return self.allocation.homes

    @property
    def arena(self) -> int:
        """Bytes of plan and sums."""
        return self._behind + self.sums.size if self.sums.size else self.plan.size

    @property
    def _behind(self) -> int:
        return self.sums.space.aligned(self.plan.size)

    def offset(self, tensor: str) -> int:
        """Return where a tensor begins, in bytes from the arena's start."""
        if tensor in self.homes:
            return self.plan.offsets[self.homes[tensor]]
        return self._behind + self.sums.offsets[tensor]


def compile_stream(source: Source) -> Compiled:
    """Plan the arena, encode every call and fill the table.

    Raises:
        ModelError: the Program's memory does not hold it.
    """
    allocation = allocate(source.program, source.batch)
    commands = (*_loads(source), *_body(source, allocation.steps), *_stores(source))
    sums = _sums(source, commands, allocation.homes)
    work = max((command.work for command in commands), default=0)
    compiled = Compiled(commands, _no_table(commands), allocation, sums, work)
    _fill(compiled)
    return compiled


def _loads(source: Source) -> list[Command]:
    """Copy each input from the caller's array, which lies in logical order."""
    from hw_models.stream import fields as f

    commands = []
    for number, name in enumerate(source.program.inputs):
        layout = source.layouts[name]
        plain = type(layout)(layout.shape, tuple(range(len(layout.shape))), layout.dtype)
        words = moves.reorder(plain, layout.order) | {f.X_ARGUMENT: 1, f.X: number}
        commands.append(Command((), (), name, f.COPY, words))
    return commands


def _stores(source: Source) -> list[Command]:
    """Copy each output into an array of the caller's."""
    from hw_models.stream import fields as f

    commands = []
    for number, name in enumerate(source.program.outputs):
        layout = source.layouts[name]
        words = moves.reorder(layout, range(len(layout.shape)))
        words |= {f.Y_ARGUMENT: 1, f.Y: len(source.program.inputs) + number}
        commands.append(Command((), (name,), "", f.COPY, words))
    return commands


def _body(source: Source, found: tuple[Step, ...]) -> list[Command]:
    """Encode the calls of each step together, in as few commands as the loop takes."""
    commands: list[Command] = []
    for step in found:
        done: set[int] = set()
        for index in step.calls:
            if index not in done:
                commands.append(_encode(source, index))
                done.update(commands[-1].calls)
    return commands


def _encode(source: Source, index: int) -> Command:
    call = source.program.calls[index]
    encoder = _ENCODERS.get(call.primitive)
    why = f"the loop has no {call.primitive}"
    if encoder is not None:
        try:
            return encoder(source, index)
        except NotInStream as reason:
            why = str(reason)
    reads = tuple(name for name in call.inputs if name not in source.program.constants)
    return Command((index,), reads, call.output, reason=why)


def _sums(source: Source, commands: tuple[Command, ...], homes: Collection[str]) -> Plan:
    """Place what one command leaves for the next in no memory: the accumulators' stead.

    Nothing where the loop takes every step in one command.
    """
    ranges = live_ranges([(*command.reads, command.write) for command in commands])
    buffers = [
        Buffer(name, source.layouts[name].bytes, first, last)
        for name, (first, last) in ranges.items()
        if name and name not in homes
    ]
    return plan(buffers)


def _no_table(commands: tuple[Command, ...]) -> Array:
    from hw_models.stream import fields as f

    return np.zeros((len(commands), f.WORDS), np.int64)


def _fill(compiled: Compiled) -> None:
    from hw_models.stream import fields as f

    for row, command in zip(compiled.table, compiled.commands, strict=True):
        if command.op is None:
            continue
        row[f.OP] = command.op
        for word, name in zip((f.X, f.X2), command.reads, strict=False):
            row[word] = compiled.offset(name)
        if command.write:
            row[f.Y] = compiled.offset(command.write)
        for word, value in command.words.items():
            row[word] = value

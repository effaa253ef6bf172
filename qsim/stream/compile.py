"""From a Program to a command stream for one batch size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from qsim.memory import Buffer, plan
from qsim.stream import elements, moves, products
from qsim.stream.command import Command, NotInStream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qsim.attributes import Array
    from qsim.memory import Plan
    from qsim.stream.source import Source

ALIGNMENT: Final = 64  # a cache line

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
        plan: where the tensors lie.
        homes: the buffer that each tensor lives in: its own, or that of an operand.
        work: bytes of workspace per thread.
    """

    commands: tuple[Command, ...]
    table: Array
    plan: Plan
    homes: Mapping[str, str]
    work: int

    def offset(self, tensor: str) -> int:
        """Return where a tensor begins, in bytes from the arena's start."""
        return self.plan.offsets[self.homes[tensor]]


def compile_stream(source: Source) -> Compiled:
    """Encode every call, plan the arena and fill the table."""
    commands = (*_loads(source), *_body(source), *_stores(source))
    homes = _homes(source, commands)
    planned = plan(_buffers(source, commands, homes), ALIGNMENT)
    offsets = {name: planned.offsets[home] for name, home in homes.items()}
    work = max((command.work for command in commands), default=0)
    return Compiled(commands, _table(commands, offsets), planned, homes, work)


def _loads(source: Source) -> list[Command]:
    """Copy each input from the caller's array, which lies in logical order."""
    from hw_models import _stream_fields as f

    commands = []
    for number, name in enumerate(source.program.inputs):
        layout = source.layouts[name]
        plain = type(layout)(layout.shape, tuple(range(len(layout.shape))), layout.dtype)
        words = moves.reorder(plain, layout.order) | {f.X_ARGUMENT: 1, f.X: number}
        commands.append(Command((), (), name, f.COPY, words))
    return commands


def _stores(source: Source) -> list[Command]:
    """Copy each output into an array of the caller's."""
    from hw_models import _stream_fields as f

    commands = []
    for number, name in enumerate(source.program.outputs):
        layout = source.layouts[name]
        words = moves.reorder(layout, range(len(layout.shape)))
        words |= {f.Y_ARGUMENT: 1, f.Y: len(source.program.inputs) + number}
        commands.append(Command((), (name,), "", f.COPY, words))
    return commands


def _body(source: Source) -> list[Command]:
    commands: list[Command] = []
    done: set[int] = set()
    for index in range(len(source.program.calls)):
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


def _homes(source: Source, commands: tuple[Command, ...]) -> dict[str, str]:
    """Choose the buffer of every tensor: an operand's that nobody reads again, or its own."""
    last = {name: step for step, command in enumerate(commands) for name in command.reads}
    homes: dict[str, str] = {}
    for step, command in enumerate(commands):
        if not command.write:
            continue
        homes[command.write] = command.write
        if not command.in_place:
            continue
        for name in command.reads:
            same = source.layouts[name].bytes == source.layouts[command.write].bytes
            alive = any(last.get(other, -1) > step for other, home in homes.items()
                        if home == homes[name] and other != command.write)  # fmt: skip
            if same and not alive and last[name] == step:
                homes[command.write] = homes[name]
                break
    return homes


def _buffers(
    source: Source, commands: tuple[Command, ...], homes: Mapping[str, str]
) -> list[Buffer]:
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for step, command in enumerate(commands):
        for name in (*command.reads, *((command.write,) if command.write else ())):
            home = homes[name]
            first.setdefault(home, step)
            last[home] = step
            sizes[home] = max(sizes.get(home, 0), source.layouts[name].bytes)
    return [Buffer(name, size, first[name], last[name]) for name, size in sizes.items()]


def _table(commands: tuple[Command, ...], offsets: Mapping[str, int]) -> Array:
    from hw_models import _stream_fields as f

    table = np.zeros((len(commands), f.WORDS), np.int64)
    for row, command in zip(table, commands, strict=True):
        if command.op is None:
            continue
        row[f.OP] = command.op
        for word, name in zip((f.X, f.X2), command.reads, strict=False):
            row[word] = offsets[name]
        if command.write:
            row[f.Y] = offsets[command.write]
        for word, value in command.words.items():
            row[word] = value
    return table

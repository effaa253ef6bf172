"""From a Program to a command stream for one batch size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from qsim.memory import Buffer, plan
from qsim.program import PRIMITIVES, live_ranges
from qsim.registry import nothing_more
from qsim.stream import (
    caches,
    copies,
    dynamic,
    elements,
    float32,
    grouped,
    joins,
    matmul,
    pools,
    products,
    rescales,
    resizes,
    rows,
    units,
)
from qsim.stream.allocation import allocate
from qsim.stream.command import Command, NotInStream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qsim.memory import Plan
    from qsim.program import Array
    from qsim.stream.allocation import Allocation
    from qsim.stream.homes import Homes
    from qsim.stream.layout import Layout
    from qsim.stream.source import Source
    from qsim.stream.steps import Step

_ENCODERS: Final[Mapping[str, Callable[[Source, int], list[Command]]]] = {
    "correlation": products.encode,
    "linear": products.encode,
    **dict.fromkeys(("matmul", "dynamic_matmul"), matmul.encode),
    "transposed_correlation": products.encode,
    "resize": resizes.encode_resize,
    "resize_scaled": resizes.encode_resize,
    **dict.fromkeys(("softmax", "masked_softmax"), rows.encode_softmax),
    "argmax": rows.encode_argmax,
    "mean": rescales.encode_mean,
    "permute": copies.encode_permute,
    "reshape": copies.encode_reshape,
    "strided_slice": copies.encode_slice,
    "gather": copies.encode_gather,
    "concat": joins.encode_concat,
    "pad": joins.encode_pad,
    "max_pool": pools.encode,
    "avg_pool": pools.encode,
    **dict.fromkeys(elements.UNARY | elements.BINARY, elements.encode),
    "requantize": rescales.encode_requantize,
    "mul": rescales.encode_mul,
    "add": rescales.encode_add,
    "min_max": dynamic.encode_min_max,
    "choose_scale": dynamic.encode_choice,
    "choose_zero_point": dynamic.encode_choice,
    "quantize": dynamic.encode_quantize,
    "dequantize": dynamic.encode_dequantize,
    "dequantize_sums": dynamic.encode_sums,
    "linear_groups": grouped.encode,
    "cache_write": caches.encode,
    "embedding": units.encode_embedding,
    **dict.fromkeys(("layer_norm", "rms_norm", "group_norm"), units.encode_norm),
    "rotary": units.encode_rotary,
    **dict.fromkeys(("float_add", "float_mul"), float32.encode_pair),
    "float_function": float32.encode_function,
    "float_softmax": float32.encode_softmax,
    "float_layer_norm": float32.encode_layer_norm,
    "float_matmul": float32.encode_matmul,
}


@dataclass(frozen=True, slots=True)
class Compiled:
    """Commands with their addresses.

    Attributes:
        commands: in order; the first load the inputs, the last store the outputs.
        copyless: tensors that no command makes: they lie in what they are a part of.
        table: int64 [commands, WORDS].
        layouts: of tensors, and of what commands leave for others of the same call.
        allocation: where the tensors in memory lie.
        sums: behind them, what steps of several commands leave between those.
        work: bytes of workspace per thread.
    """

    commands: tuple[Command, ...]
    copyless: tuple[str, ...]
    table: Array
    layouts: Mapping[str, Layout]
    allocation: Allocation
    sums: Plan
    work: int

    @property
    def plan(self) -> Plan:
        """Where the buffers of tensors in memory lie."""
        return self.allocation.plan

    @property
    def homes(self) -> Homes:
        """The buffer that each tensor in memory lives in, and where in it."""
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
        if tensor in self.homes.buffers:
            return self.allocation.offset(tensor)
        return self._behind + self.sums.offsets[tensor]


def compile_stream(source: Source) -> Compiled:
    """Plan the arena, encode every call and fill the table.

    Raises:
        ModelError: the Program's memory does not hold it.
    """
    allocation = allocate(source.program, source.batch)
    source.homes = allocation.homes
    commands = (*_loads(source), *_body(source, allocation.steps), *_stores(source))
    made = {call for command in commands for call in command.calls}
    calls = enumerate(source.program.calls)
    copyless = tuple(call.output for index, call in calls if index not in made)
    sums = _sums(source, commands)
    work = max((command.work for command in commands), default=0)
    table = _no_table(commands)
    compiled = Compiled(commands, copyless, table, source.layouts, allocation, sums, work)
    _fill(compiled)
    return compiled


def _loads(source: Source) -> list[Command]:
    """Copy each input from the caller's array, which lies in logical order."""
    from hw_models.stream import fields as f

    commands = []
    for number, name in enumerate(source.program.inputs):
        layout = source.layouts[name]
        plain = type(layout)(layout.shape, tuple(range(len(layout.shape))), layout.dtype)
        words = copies.reorder(plain, layout.order) | {f.X_PLACE: f.IN_ARGUMENT, f.X: number}
        commands.append(Command((), (), name, f.COPY, words))
    return commands


def _stores(source: Source) -> list[Command]:
    """Copy each output into an array of the caller's."""
    from hw_models.stream import fields as f

    commands = []
    for number, name in enumerate(source.program.outputs):
        layout = source.layouts[name]
        words = copies.reorder(layout, range(len(layout.shape)))
        words |= {f.Y_PLACE: f.IN_ARGUMENT, f.Y: len(source.program.inputs) + number}
        commands.append(Command((), (name,), "", f.COPY, words))
    return commands


def _body(source: Source, found: tuple[Step, ...]) -> list[Command]:
    """Encode the calls of each step together, in as few commands as the loop takes."""
    commands: list[Command] = []
    for step in found:
        done: set[int] = set()
        for index in step.calls:
            if index not in done:
                made = _encode(source, index)
                commands += made
                done.update(call for command in made for call in command.calls)
    return commands


def _encode(source: Source, index: int) -> list[Command]:
    call = source.program.calls[index]
    encoder = _ENCODERS.get(call.primitive)
    why = f"the loop has no {call.primitive}"
    if encoder is not None:
        try:
            commands = encoder(source, index)
        except NotInStream as reason:
            why = str(reason)
        else:
            _require(source, commands)
            return commands
    reads = tuple(name for name in call.inputs if name not in source.program.constants)
    return [Command((index,), reads, call.output, reason=why)]


def _require(source: Source, commands: list[Command]) -> None:
    """Ask of constants what the functions ask that the loop computes without.

    Raises:
        ModelError: as the function would say it.
    """
    for index in {call for command in commands for call in command.calls}:
        if PRIMITIVES[source.program.calls[index].primitive].require is nothing_more:
            source.program.kernel(index)


def _sums(source: Source, commands: tuple[Command, ...]) -> Plan:
    """Place what one command leaves for the next in no memory: the accumulators' stead.

    Nothing where the loop takes every call in one command.
    """
    ranges = live_ranges([(*command.reads, command.write) for command in commands])
    buffers = [
        Buffer(name, source.layouts[name].bytes, first, last)
        for name, (first, last) in ranges.items()
        if name and name not in source.homes.buffers
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
        for word, name in zip((f.X, f.X2, f.X3, f.X4), command.reads, strict=False):
            row[word] = compiled.offset(name)
        if command.write:
            row[f.Y] = compiled.offset(command.write)
        for word, value in command.words.items():
            row[word] = value

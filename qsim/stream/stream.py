"""A compiled command stream: run it on arrays.

One jitted loop executes the table, on one thread or on several. Where a call is not in the loop,
the stream stops there, the interpreter's kernel works on views of the arena, and the loop goes on.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hw_models._team import run_together
from qsim.stream.buffers import Buffers
from qsim.stream.compile import Compiled, compile_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qsim.program import Array
    from qsim.stream.source import Source

# Products of a part of the stream from which a second thread pays.
_PARALLEL: Final = 1 << 24
_KEPT_ARENAS: Final = 2
# Bytes of inputs and outputs that NumPy moves sooner than it tells where they lie.
_SHORT: Final = 1 << 13


class Stream:
    """The command stream of a Program for one batch size.

    Attributes:
        source: what it was compiled from.
        compiled: commands and plan.
        constants: packed weights and tables.
        inner: parts between the loads of the inputs and the stores of the outputs.
        splits: whether samples may run apart: every tensor has a batch, every call is in the loop.
        parallel: whether a part of it has work for more threads than one.
        short: whether ``answer`` is the faster way: little work, little to load and to store.
    """

    def __init__(self, source: Source, compute: Callable[[int, list[Array]], Array]) -> None:
        from hw_models.stream.loop import execute, ready

        self.source = source
        self.compiled: Compiled = compile_stream(source)
        self.constants = source.constants.buffer()
        self._compute = compute
        self._execute, self._ready = execute, ready
        self._parts = _parts(self.compiled, 0, len(self.compiled.commands))
        program, layouts = source.program, source.layouts
        loads, stores = len(program.inputs), len(program.outputs)
        self.inner = _parts(self.compiled, loads, len(self.compiled.commands) - stores)
        self.splits = all(command.op is not None for command in self.compiled.commands) and all(
            spec.shape[:1] == (-1,)
            for name, spec in program.tensors.items()
            if name not in program.constants
        )
        self.parallel = any(products >= _PARALLEL for _, _, products in self._parts)
        ends = [layouts[name] for name in (*program.inputs, *program.outputs)]
        self.short = (
            not self.parallel
            and all(layout.plain for layout in ends)
            and sum(layout.bytes for layout in ends) <= _SHORT
        )
        self._kinds = tuple(layouts[name].dtype for name in program.inputs)
        self._made = tuple(
            (program.tensors[name].shape[:1] == (-1,), layouts[name].shape, layouts[name].dtype)
            for name in program.outputs
        )
        self._free: list[Buffers] = []

    @functools.cached_property
    def table(self) -> Array:
        """What the loop reads; made when it runs: what is only looked at compiles no kernel."""
        return self._ready(self.compiled.table)

    @property
    def memory(self) -> int:
        """Bytes that a run on one thread needs: arena, workspace, packed constants."""
        return self.compiled.arena + self.compiled.work + self.source.constants.size

    def outputs(self, batch: int) -> tuple[Array, ...]:
        """Return uninitialised arrays for the outputs of a batch."""
        return tuple(
            np.empty((batch, *shape[1:]) if symbolic else shape, dtype)
            for symbolic, shape, dtype in self._made
        )

    def taken(self, arrays: Sequence[Array]) -> list[Array]:
        """Return inputs as the loop reads them: of the container's type, in C order."""
        return [
            np.ascontiguousarray(array, kind)
            for kind, array in zip(self._kinds, arrays, strict=True)
        ]

    def run(self, arrays: Sequence[Array], made: Sequence[Array], threads: int) -> None:
        """Compute the outputs.

        Args:
            arrays: what ``taken`` returned, or parts of it, of this stream's batch size.
            made: arrays of the outputs, or parts of them, in C order; they are filled.
            threads: how many may work on it.
        """
        memory = self._take(threads)
        arguments = (*arrays, *made)
        for first, last, products in self._parts:
            if first < 0:
                self._call(-1 - first, memory)
                continue
            frame = memory.frame(first, last, arguments)
            if threads > 1 and products >= _PARALLEL:
                self._together(memory, frame, threads)
            else:
                self._execute(frame)
        self._give(memory)

    def answer(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        """Return the outputs for a whole batch of this stream's size, on this thread.

        NumPy moves inputs and outputs to and from where they lie in the arena: nobody asks for
        addresses, and the loop does not load and store.

        Args:
            arrays: that fit the Program's inputs, of any integer dtype and memory order.
        """
        memory = self._take(1)
        for place, array in zip(memory.inputs, arrays, strict=True):
            place[...] = array
        for part in memory.inner:
            if isinstance(part, int):
                self._call(part, memory)
            else:
                self._execute(part)
        made = tuple([place.copy() for place in memory.outputs])
        self._give(memory)
        return made

    def _take(self, threads: int) -> Buffers:
        # A list's pop is atomic: two runs never share an arena.
        try:
            memory = self._free.pop()
        except IndexError:
            return Buffers(self, threads)
        memory.serve(threads)
        return memory

    def _give(self, memory: Buffers) -> None:
        if len(self._free) < _KEPT_ARENAS:
            self._free.append(memory)

    def _together(self, memory: Buffers, frame: Array, threads: int) -> None:
        from hw_models.stream.fields import FRAME_THREADS

        frames = memory.frames(frame, threads)

        def turn(thread: int, together: int) -> None:
            frames[thread][FRAME_THREADS] = together
            self._execute(frames[thread])

        run_together(turn, threads)

    def _call(self, index: int, memory: Buffers) -> None:
        command = self.compiled.commands[index]
        (call,) = command.calls
        program = self.source.program
        operands: list[Any] = [
            program.constants[name] if name in program.constants else memory.view(name)
            for name in program.calls[call].inputs
        ]
        np.copyto(memory.view(command.write), self._compute(call, operands), casting="unsafe")


def _parts(compiled: Compiled, begin: int, end: int) -> list[tuple[int, int, int]]:
    """Cut begin..end at the interpreter's calls: (first, last, products), or (-1 - index, ...)."""
    parts: list[tuple[int, int, int]] = []
    first = begin
    for index, command in enumerate((*compiled.commands[begin:end], None), begin):
        if command is not None and command.op is not None:
            continue
        if index > first:
            work = sum(item.products for item in compiled.commands[first:index])
            parts.append((first, index, work))
        if command is not None:
            parts.append((-1 - index, 0, 0))
        first = index + 1
    return parts

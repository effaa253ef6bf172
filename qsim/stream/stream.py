"""A compiled command stream: run it on arrays.

One jitted loop executes the table, on one thread or on several. Where a call is not in the loop,
the stream stops there, the interpreter's kernel works on views of the arena, and the loop goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hw_models._aligned import address, aligned
from hw_models._team import run_together
from qsim.stream.compile import Compiled, compile_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qsim.program import Array
    from qsim.stream.source import Source

# Products of a part of the stream from which a second thread pays.
_PARALLEL: Final = 1 << 24
_KEPT_ARENAS: Final = 2


class _Memory:
    """What one run owns: an arena, a workspace for each thread, and views of the tensors."""

    def __init__(self, stream: Stream, threads: int) -> None:
        compiled = stream.compiled
        self._workspace = compiled.work + 64
        self.arena = aligned(compiled.arena + 64)
        self.work: list[Array] = []
        self.counters = np.zeros(1 + len(compiled.commands), np.int64)
        self.views: dict[str, Array] = {}
        for command in compiled.commands:
            if command.op is None:
                for name in (*command.reads, command.write):
                    layout = stream.source.layouts[name]
                    self.views[name] = layout.view(self.arena, compiled.offset(name))
        self.serve(threads)

    def serve(self, threads: int) -> None:
        """Have a workspace for each of so many threads."""
        while len(self.work) < threads:
            self.work.append(aligned(self._workspace))


class Stream:
    """The command stream of a Program for one batch size.

    Attributes:
        source: what it was compiled from.
        compiled: commands and plan.
        constants: packed weights and tables.
    """

    def __init__(self, source: Source, compute: Callable[[int, list[Array]], Array]) -> None:
        self.source = source
        self.compiled: Compiled = compile_stream(source)
        self.constants = source.constants.buffer()
        self._compute = compute
        self._parts = _parts(self.compiled)
        self._free: list[_Memory] = []

    @property
    def splits(self) -> bool:
        """Whether samples may run apart: every tensor has a batch, every call is in the loop."""
        tensors, constants = self.source.program.tensors, self.source.program.constants
        return all(command.op is not None for command in self.compiled.commands) and all(
            spec.shape[:1] == (-1,) for name, spec in tensors.items() if name not in constants
        )

    @property
    def memory(self) -> int:
        """Bytes that a run on one thread needs: arena, workspace, packed constants."""
        return self.compiled.arena + self.compiled.work + self.source.constants.size

    def outputs(self, batch: int) -> tuple[Array, ...]:
        """Return uninitialised arrays for the outputs of a batch."""
        program, layouts = self.source.program, self.source.layouts
        return tuple(
            np.empty((batch, *program.tensors[name].shape[1:]), layouts[name].dtype)
            if program.tensors[name].shape[:1] == (-1,)
            else np.empty(layouts[name].shape, layouts[name].dtype)
            for name in program.outputs
        )

    def taken(self, arrays: Sequence[Array]) -> list[Array]:
        """Return inputs as the loop reads them: of the container's type, in C order."""
        names, layouts = self.source.program.inputs, self.source.layouts
        return [
            np.ascontiguousarray(array, layouts[name].dtype)
            for name, array in zip(names, arrays, strict=True)
        ]

    def run(self, arrays: Sequence[Array], made: Sequence[Array], threads: int) -> None:
        """Compute the outputs.

        Args:
            arrays: what ``taken`` returned, or parts of it, of this stream's batch size.
            made: arrays of the outputs, or parts of them, in C order; they are filled.
            threads: how many may work on it.
        """
        arguments = np.array([address(array) for array in (*arrays, *made)], np.int64)
        memory = self._take(threads)
        for part in self._parts:
            if part[0] < 0:
                self._call(-1 - part[0], memory)
            else:
                self._loop(part, memory, arguments, threads)
        if len(self._free) < _KEPT_ARENAS:
            self._free.append(memory)

    def _take(self, threads: int) -> _Memory:
        # A list's pop is atomic: two runs never share an arena.
        try:
            memory = self._free.pop()
        except IndexError:
            return _Memory(self, threads)
        memory.serve(threads)
        return memory

    def _loop(
        self, part: tuple[int, int, int], memory: _Memory, arguments: Array, threads: int
    ) -> None:
        from hw_models.stream.loop import execute

        first, last, products = part
        count = threads if products >= _PARALLEL else 1
        memory.counters[:] = 0
        common = (
            self.compiled.table, first, last, address(memory.arena), address(self.constants),
            arguments,
        )  # fmt: skip
        counters = address(memory.counters)

        def turn(thread: int, together: int) -> None:
            execute(*common, address(memory.work[thread]), counters, thread, together)

        run_together(turn, count)

    def _call(self, index: int, memory: _Memory) -> None:
        command = self.compiled.commands[index]
        (call,) = command.calls
        program = self.source.program
        operands: list[Any] = [
            program.constants[name] if name in program.constants else memory.views[name]
            for name in program.calls[call].inputs
        ]
        np.copyto(memory.views[command.write], self._compute(call, operands), casting="unsafe")


def _parts(compiled: Compiled) -> list[tuple[int, int, int]]:
    """Cut at the calls of the interpreter: (first, last, products), or (-1 - index, ...)."""
    parts: list[tuple[int, int, int]] = []
    first = 0
    for index, command in enumerate((*compiled.commands, None)):
        if command is not None and command.op is not None:
            continue
        if index > first:
            work = sum(item.products for item in compiled.commands[first:index])
            parts.append((first, index, work))
        if command is not None:
            parts.append((-1 - index, 0, 0))
        first = index + 1
    return parts

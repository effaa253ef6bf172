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
        # Their addresses: NumPy takes as long to tell one as a small command takes.
        self.base, self.counter = address(self.arena), address(self.counters)
        self.workspaces: list[int] = []
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
            space = aligned(self._workspace)
            self.work.append(space)
            self.workspaces.append(address(space))


class Stream:
    """The command stream of a Program for one batch size.

    Attributes:
        source: what it was compiled from.
        compiled: commands and plan.
        constants: packed weights and tables.
    """

    def __init__(self, source: Source, compute: Callable[[int, list[Array]], Array]) -> None:
        from hw_models.stream.loop import execute, ready

        self.source = source
        self.compiled: Compiled = compile_stream(source)
        self.constants = source.constants.buffer()
        self._compute = compute
        self._execute, self._ready = execute, ready
        self._table: Array | None = None
        self._parts = _parts(self.compiled)
        self._most = max((products for _, _, products in self._parts), default=0)
        self._base = address(self.constants)
        self._kinds = tuple(source.layouts[name].dtype for name in source.program.inputs)
        self._made = tuple(
            (source.program.tensors[name].shape[:1] == (-1,), layout.shape, layout.dtype)
            for name, layout in ((n, source.layouts[n]) for n in source.program.outputs)
        )
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

    @property
    def parallel(self) -> bool:
        """Whether a part of it has work for more threads than one."""
        return self._most >= _PARALLEL

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
        if self._table is None:  # what is only looked at compiles no kernel
            self._table = self._ready(self.compiled.table)
        arguments = np.array([address(array) for array in (*arrays, *made)], np.int64)
        memory = self._take(threads)
        for first, last, products in self._parts:
            if first < 0:
                self._call(-1 - first, memory)
            elif threads > 1 and products >= _PARALLEL:
                self._together(first, last, memory, arguments, threads)
            else:
                self._execute(
                    self._table, first, last, memory.base, self._base, arguments,
                    memory.workspaces[0], memory.counter, 0, 1,
                )  # fmt: skip
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

    def _together(
        self, first: int, last: int, memory: _Memory, arguments: Array, threads: int
    ) -> None:
        memory.counters.fill(0)
        common = self._table, first, last, memory.base, self._base, arguments

        def turn(thread: int, together: int) -> None:
            self._execute(*common, memory.workspaces[thread], memory.counter, thread, together)

        run_together(turn, threads)

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

"""What one run of a command stream owns: an arena, workspaces, and the frames that name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hw_models._aligned import address, aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.program import Array
    from qsim.stream.stream import Stream

_SLACK: Final = 64  # bytes that a vector may read past the last code


class Buffers:
    """The memory of a run.

    Attributes:
        arena: bytes of the tensors.
        inputs, outputs: those of the Program, where they lie in the arena.
        inner: for each part of the stream without its loads and stores, the frame of the loop, or
            the command that the interpreter makes.
    """

    def __init__(self, stream: Stream, threads: int) -> None:
        from hw_models.stream import fields as f

        program, compiled = stream.source.program, stream.compiled
        self._stream = stream
        self.arena = aligned(compiled.arena + _SLACK)
        self._work: list[Array] = []
        self._views: dict[str, Array] = {}
        self.inputs = [self.view(name) for name in program.inputs]
        self.outputs = [self.view(name) for name in program.outputs]
        self._counters = np.zeros(1 + len(compiled.commands), np.int64)
        self.serve(max(threads, 1))
        # Addresses are asked for here: NumPy takes as long to tell one as a small command takes.
        arguments = len(program.inputs) + len(program.outputs)
        self._frame = np.zeros(f.FRAME_ARGUMENTS + arguments, np.int64)
        self._frame[f.FRAME_TABLE] = address(stream.table)
        self._frame[f.FRAME_ARENA] = address(self.arena)
        self._frame[f.FRAME_CONSTANTS] = address(stream.constants)
        self._frame[f.FRAME_COUNTERS] = address(self._counters)
        self._frame[f.FRAME_WORK] = address(self._work[0])
        self._frame[f.FRAME_THREADS] = 1
        self.inner: list[Array | int] = [
            -1 - first if first < 0 else self.frame(first, last) for first, last, _ in stream.inner
        ]

    def serve(self, threads: int) -> None:
        """Have a workspace for each of so many threads."""
        while len(self._work) < threads:
            self._work.append(aligned(self._stream.compiled.work + _SLACK))

    def view(self, name: str) -> Array:
        """Return a tensor in the arena, as an array."""
        if name not in self._views:
            layout, compiled = self._stream.source.layouts[name], self._stream.compiled
            self._views[name] = layout.view(self.arena, compiled.offset(name))
        return self._views[name]

    def frame(self, first: int, last: int, arguments: Sequence[Array] = ()) -> Array:
        """Return what tells the loop to execute commands first..last - 1 on one thread.

        Args:
            first: command to begin with.
            last: command to stop before.
            arguments: the caller's inputs and outputs, if these commands touch them.
        """
        from hw_models.stream import fields as f

        frame = self._frame.copy()
        frame[f.FRAME_FIRST], frame[f.FRAME_LAST] = first, last
        for word, array in enumerate(arguments, f.FRAME_ARGUMENTS):
            frame[word] = address(array)
        return frame

    def frames(self, frame: Array, threads: int) -> list[Array]:
        """Return a frame for each of several threads that execute one together."""
        from hw_models.stream import fields as f

        self._counters.fill(0)
        made = [frame.copy() for _ in range(threads)]
        for thread, (each, work) in enumerate(zip(made, self._work, strict=False)):
            each[f.FRAME_WORK], each[f.FRAME_THREAD] = address(work), thread
        return made

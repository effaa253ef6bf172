"""``qsim run net.pte --trace DIR``: every tensor of every delegate, and what overflowed in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from qsim.atomic import refused
from qsim.cli.npy import write_npy
from qsim.cli.traces import TraceDirectory, TraceWriter
from qsim.errors import ModelError
from qsim.executorch.pte import DelegateCall
from qsim.report import Evaluator

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from qsim.cli.pte.opening import Opened
    from qsim.network import Lowered
    from qsim.report import Layer


class _Site:
    """One call of a delegate in the program: the samples of all runs of it."""

    def __init__(self, delegate: int, network: Lowered, writer: TraceWriter) -> None:
        self.delegate, self.network, self.writer = delegate, network, writer
        self.evaluator = Evaluator(network)


class DelegateTracer(TraceDirectory):
    """Runs the delegates of a program with a trace, and writes it.

    Layout: ``<position>_delegate<index>/``, one for each call of a delegate in a run of the
    program, with what ``--trace`` writes of a network; ``input<i>.npy`` and ``output<i>.npy`` of
    the program; ``trace.json``, the object of ``--json``.

    Args:
        path: the directory to make.
        opened: the program.
        samples: how many will come in all.

    Raises:
        ModelError: the program has no delegate of qsim's.
    """

    def __init__(self, path: Path, opened: Opened, samples: int) -> None:
        if not any(part.network for part in opened.parts):
            raise ModelError(
                "it has no delegate of qsim, whose tensors could be traced",
                where=str(opened.path),
                accepted="--trace with a program of `qsim compile`; --compare shows every operator",
            )
        super().__init__(path)
        self._parts, self._samples = opened.parts, samples
        self._order = [
            instruction.delegate
            for chain in opened.method.chains
            for instruction in chain
            if isinstance(instruction, DelegateCall) and opened.parts[instruction.delegate].network
        ]
        self._sites: list[_Site] = []
        self._at = self._size = self._done = 0

    def __enter__(self) -> Self:
        from qsim.executorch.delegates import watched

        super().__enter__()
        self._stack.enter_context(watched(self._run))
        return self

    def begin(self, size: int) -> None:
        """Say that the program's next call has so many samples."""
        self._done += self._size
        self._at, self._size = 0, size

    def _run(self, network: Lowered, inputs: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        import torch

        site = self._site(network)
        self._at += 1
        trace = network.trace(*inputs)
        if trace.batch != self._size:
            raise ModelError(
                f"delegate {site.delegate} gets {trace.batch} samples where the program gets "
                f"{self._size}",
                where="--trace",
                accepted="programs whose delegates see the program's batch",
            )
        site.evaluator.count(trace, self._size)
        site.writer.add(trace, self._done)
        return tuple(torch.from_numpy(np.array(array)) for array in trace.outputs)

    def _site(self, network: Lowered) -> _Site:
        if self._at == len(self._sites) and self._done == 0:
            known = self._order[self._at] if self._at < len(self._order) else -1
            if known < 0 or self._parts[known].network is not network:
                # In a loop or after a branch the order of the file is not that of the run.
                known = next(part.index for part in self._parts if part.network is network)
            path = self._directory / f"{self._at:02d}_delegate{known}"
            writer = self._stack.enter_context(
                TraceWriter(path, network, self._samples, self._told)
            )
            self._sites.append(_Site(known, network, writer))
        site = self._sites[self._at] if self._at < len(self._sites) else None
        if site is None or site.network is not network:
            raise ModelError(
                "which delegates run depends on the samples",
                where="--trace",
                accepted="programs that call the same delegates every time, or --samples 1",
            )
        return site

    def layers(self) -> list[tuple[int, Layer]]:
        """Return every layer with what its accumulators did, and its delegate."""
        return [(site.delegate, layer) for site in self._sites for layer in site.evaluator.layers]

    def finish(self, inputs: list[Any], outputs: list[Any], document: dict[str, Any]) -> None:
        """Write what is known at the end.

        Args:
            inputs: of the program, as arrays.
            outputs: of all samples, as arrays.
            document: the object of ``--json``.
        """
        for side, arrays in (("input", inputs), ("output", outputs)):
            for position, array in enumerate(arrays):
                with refused(self._told):
                    write_npy(self._directory / f"{side}{position}.npy", np.asarray(array))
        for position, site in enumerate(self._sites):
            site.writer.finish({"position": position, "delegate": site.delegate})
        self._write(document)

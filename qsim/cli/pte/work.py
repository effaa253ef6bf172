"""What a run of a ``.pte`` has to do: its samples, cut into the calls of the program."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from qsim.cli.npy import read_labels
from qsim.cli.pte.batches import cut
from qsim.cli.pte.samples import choose, count_of, first
from qsim.executorch.pte import TensorSpec

if TYPE_CHECKING:
    from pathlib import Path

    from qsim.cli.inputs import Samples
    from qsim.cli.pte.opening import Opened
    from qsim.cli.run_options import RunOptions
    from qsim.report import Array


@dataclass(frozen=True)
class Work:
    """What a run has to do.

    Attributes:
        samples: with their labels.
        count: how many; 1 where no input has a batch.
        calls: the arguments of each call.
        sizes: the samples of each call.
    """

    samples: Samples
    count: int
    calls: list[list[Any]]
    sizes: list[int]


def prepare(opened: Opened, options: RunOptions) -> Work:
    """Return the samples of a run, cut into calls."""
    args = opened.arguments()
    samples = choose(options.inputs, args, options.samples)
    if options.labels is not None:
        labels = _labels(options.labels, opened, count_of(samples, args))
        source = f"{samples.source}, labels of {options.labels}"
        samples = replace(samples, labels=labels, source=source)
    samples = first(samples, args, options.samples)
    calls = cut(samples, args, options.batch)
    at = next((arg.position for arg in args if arg.split), None)
    sizes = [1 if at is None else len(call[at]) for call in calls]
    return Work(samples, count_of(samples, args), calls, sizes)


def _labels(path: Path, opened: Opened, count: int) -> Array:
    """Return the class of each sample, checked against the program's first output."""
    found = opened.outputs[0] if opened.outputs else None
    shape = found.sizes if isinstance(found, TensorSpec) else ()
    return read_labels(path, count, shape)

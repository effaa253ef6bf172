"""Samples for a ``.pte``: files in the types that it takes, or random ones."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np

from qsim.cli.inputs import RANDOM_SAMPLES, Samples
from qsim.cli.npy import read_npy
from qsim.cli.pte.arguments import bound
from qsim.cli.pte.checks import checked
from qsim.errors import InputError
from qsim.report import plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qsim.cli.pte.arguments import Argument
    from qsim.report import Array

_ACCEPTED: Final = "a .npy file of what the program takes, samples along dimension 0"
# Integers of these types are codes; wider ones may be indices, of which only some are good.
_CODES: Final = ("uint8", "int8", "uint16", "int16", "bool")


def choose(files: Sequence[Path], args: Sequence[Argument], limit: int | None) -> Samples:
    """Return samples of files, checked against the program, or seeded random ones.

    Args:
        files: one for each tensor among the inputs.
        args: the inputs.
        limit: how many will be used; it decides how many random ones are made.

    Raises:
        InputError: files of a wrong number, type, shape or value, or different numbers of samples.
    """
    wanted = [arg for arg in args if arg.tensor is not None]
    if not files:
        return _random(wanted, args, limit)
    if len(files) != len(wanted):
        raise InputError(
            f"the program takes {plural(len(wanted), 'input')}, not {len(files)}",
            where="--inputs",
            accepted=f"one --inputs for each: {'; '.join(map(str, wanted))}",
        )
    arrays = tuple(
        checked(read_npy(path, _ACCEPTED), arg, str(path))
        for path, arg in zip(files, wanted, strict=True)
    )
    counts = [len(array) for array, arg in zip(arrays, wanted, strict=True) if arg.split]
    if len(set(counts)) > 1:
        shown = ", ".join(map(str, counts))
        raise InputError(
            f"the inputs have {shown} samples", accepted="as many samples for each input"
        )
    names = ", ".join(map(str, files))
    if counts and counts[0] == 0:
        raise InputError("there are no samples", accepted="at least one sample")
    source = f"{plural(counts[0], 'sample')} of {names}" if counts else names
    return Samples(arrays, None, source, tuple(map(str, files)))


def count_of(samples: Samples, args: Sequence[Argument]) -> int:
    """Return how many samples there are: 1 where no input is cut into batches."""
    wanted = [arg for arg in args if arg.tensor is not None]
    pairs = zip(samples.arrays, wanted, strict=True)
    return next((len(array) for array, arg in pairs if arg.split), 1)


def first(samples: Samples, args: Sequence[Argument], limit: int | None) -> Samples:
    """Return the first ``limit`` samples, or all where there are no more."""
    if limit is None or limit >= count_of(samples, args):
        return samples
    wanted = [arg for arg in args if arg.tensor is not None]
    arrays = tuple(
        array[:limit] if arg.split else array
        for array, arg in zip(samples.arrays, wanted, strict=True)
    )
    labels = None if samples.labels is None else samples.labels[:limit]
    source = f"the first {limit} of {samples.source}"
    return dataclasses.replace(samples, arrays=arrays, labels=labels, source=source)


def _random(wanted: Sequence[Argument], args: Sequence[Argument], limit: int | None) -> Samples:
    size, is_open = bound(args)
    count = min(RANDOM_SAMPLES, limit or RANDOM_SAMPLES) if is_open else 0
    # Whole batches where the batch is fixed, and one at least.
    count = count or max(size, min(RANDOM_SAMPLES, limit or RANDOM_SAMPLES) // size * size)
    arrays = tuple(_draw(arg, count) for arg in wanted)
    if not wanted:
        return Samples((), None, "the program takes no tensor")
    noun = plural(count, "seeded random sample") if any(arg.split for arg in wanted) else "random"
    return Samples(arrays, None, f"{noun} (give --inputs for your own)", random=True)


def _draw(arg: Argument, count: int) -> Array:
    """Return samples: codes uniform over their range, floats of a normal distribution."""
    spec = arg.tensor
    assert spec is not None  # noqa: S101 - only tensors are drawn
    generator = np.random.default_rng([arg.position])
    shape = (count, *spec.sizes[1:]) if arg.split else spec.sizes
    dtype = arg.dtype()
    if dtype.kind == "f":
        return generator.standard_normal(shape).astype(dtype)
    codes = arg.codes
    if codes is None and dtype.name in _CODES:
        codes = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    if codes is None:
        raise InputError(
            f"{arg} may be an index: random values would mean nothing", accepted="--inputs"
        )
    return generator.integers(codes[0], codes[1], shape, np.int64, endpoint=True).astype(dtype)

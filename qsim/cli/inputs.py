"""Which samples a run uses: labelled ones, ``--inputs`` files, calibration data or random codes."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from qsim.cli.npy import read_labels, read_npy, shape_text
from qsim.errors import InputError, UsageError
from qsim.report import Array, Arrays, Batch, as_arrays, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hw_models.quantize import Formula
    from qsim.models import Model
    from qsim.network import Lowered, ValueSpec

RANDOM_SAMPLES: Final = 8
# A trace keeps every tensor of a batch: as many samples as keep it in the hundreds of megabytes.
BATCH_ELEMENTS: Final = 1 << 18
MOST_BATCH: Final = 256


@dataclass(frozen=True)
class Samples:
    """Samples of a run.

    Attributes:
        arrays: one array per model input, dimension 0 counts the samples.
        labels: one integer per sample, or None.
        source: what they are, in words.
        files: where each array came from; empty where they came with the model.
        random: whether nobody chose them: they show integers, not quality.
    """

    arrays: Arrays
    labels: Array | None
    source: str
    files: tuple[str, ...] = ()
    random: bool = False

    @property
    def count(self) -> int:
        """How many samples there are."""
        return int(self.arrays[0].shape[0]) if self.arrays and self.arrays[0].ndim else 0

    def first(self, limit: int | None) -> Samples:
        """Return the first ``limit`` samples, or all where there are no more."""
        if limit is None or limit >= self.count:
            return self
        labels = None if self.labels is None else self.labels[:limit]
        source = f"the first {limit} of {self.source}"
        arrays = tuple(array[:limit] for array in self.arrays)
        return dataclasses.replace(self, arrays=arrays, labels=labels, source=source)


def choose(
    files: Sequence[Path],
    model: Model | None,
    lowered: Lowered,
    labels_file: Path | None = None,
    seed: int | None = None,
    draw: int = RANDOM_SAMPLES,
) -> Samples:
    """Return the samples: files, else labelled samples, calibration, examples, random codes.

    With a seed, and no files: ``draw`` samples of random codes whatever the model brings.

    Raises:
        InputError: a file cannot be read, or labels do not fit the samples or the output.
        UsageError: samples were to be drawn, and nothing says which an input takes.
    """
    if files:
        arrays = tuple(read_npy(path) for path in files)
        names = tuple(map(str, files))
        source = _counted(arrays, f"samples of {', '.join(names)}")
        if labels_file is None:
            return Samples(arrays, None, source, names)
        count = arrays[0].shape[0] if arrays[0].ndim else 0
        labels = read_labels(labels_file, count, lowered.outputs[0].shape)
        return Samples(arrays, labels, f"{source}, labels of {labels_file}", names)
    if seed is not None:
        model = None
    if model is not None:
        return of_model(model)
    _require_drawable(lowered)
    seeds = [[index] if seed is None else [seed, index] for index in range(len(lowered.inputs))]
    arrays = tuple(
        _random(spec, own, draw) for spec, own in zip(lowered.inputs, seeds, strict=True)
    )
    source = _counted(arrays, "seeded random samples, not representative (give --inputs)")
    return Samples(arrays, None, source, random=True)


def of_model(model: Model) -> Samples:
    """Return what a model brings: its samples, else its calibration data, else example inputs."""
    if model.samples is not None:
        given, given_labels = model.samples
        arrays = as_arrays(given)
        if given_labels is None:
            return Samples(arrays, None, _counted(arrays, "samples of the model, without labels"))
        labels = as_arrays(given_labels)[0]
        return Samples(arrays, labels, _counted(arrays, "labelled samples of the model"))
    if model.calibration:
        batches = [as_arrays(batch) for batch in model.calibration]
        arrays = tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))
        return Samples(arrays, None, _counted(arrays, "calibration samples (no others given)"))
    arrays = as_arrays(model.example_inputs)
    return Samples(arrays, None, _counted(arrays, "example inputs (no others given)"))


def _counted(arrays: Arrays, what: str) -> str:
    count = arrays[0].shape[0] if arrays and arrays[0].ndim else 0
    return f"{count} {what}"


def _require_drawable(lowered: Lowered) -> None:
    """Raise unless random samples mean something: tokens and positions have bounds of their own."""
    for spec in lowered.inputs:
        if spec.format is None and np.dtype(spec.dtype).kind in "iu":
            every = ", ".join(f"{each.name} {shape_text(each.shape)}" for each in lowered.inputs)
            raise UsageError(
                f"input {spec.name!r} takes {spec.dtype} numbers whose range the network does "
                "not say, so none can be drawn",
                where="samples",
                accepted=f"--inputs, one for each input: {every}",
            )


def _random(spec: ValueSpec, seed: list[int], count: int) -> Array:
    """Return samples whose codes are uniform over the input's format."""
    generator = np.random.default_rng(seed)
    shape = (count if spec.shape[0] == -1 else spec.shape[0], *spec.shape[1:])
    if spec.format is None:
        return generator.standard_normal(shape).astype(spec.dtype)
    codes = generator.integers(spec.format.min, spec.format.max, shape, endpoint=True)
    if np.dtype(spec.dtype).kind in "iu":
        return codes.astype(spec.dtype)
    return _real(codes, spec)


def batches(
    samples: Samples, lowered: Lowered, formula: Formula, size: int | None
) -> tuple[list[slice], Iterator[Batch]]:
    """Check samples against the network's inputs and return them batch by batch.

    Codes given for a float input, or floats for an integer one, are converted with the input's
    own scale and zero point, by the target's quantize formula.

    Raises:
        InputError: wrong number, shape, type or values.
        UsageError: a batch size that the network cannot take.
    """
    if len(samples.arrays) != len(lowered.inputs):
        raise InputError(
            f"the model takes {plural(len(lowered.inputs), 'input')}, not {len(samples.arrays)}",
            accepted="one --inputs for each: "
            + ", ".join(f"{spec.name} {shape_text(spec.shape)}" for spec in lowered.inputs),
        )
    files = samples.files or tuple(f"input {spec.name}" for spec in lowered.inputs)
    for array, spec, file in zip(samples.arrays, lowered.inputs, files, strict=True):
        check_input(array, spec, file)
    if len({array.shape[0] for array in samples.arrays}) != 1:
        counts = ", ".join(str(array.shape[0]) for array in samples.arrays)
        raise InputError(
            f"the inputs have {counts} samples", accepted="as many samples for each input"
        )
    step = _batch_size(samples.count, lowered.inputs, size)
    slices = [slice(start, start + step) for start in range(0, samples.count, step)]
    return slices, (_batch(samples, part, lowered.inputs, formula) for part in slices)


def _batch(samples: Samples, part: slice, specs: Sequence[ValueSpec], formula: Formula) -> Batch:
    arrays = [array[part] for array in samples.arrays]
    labels = None if samples.labels is None else samples.labels[part]
    pairs = list(zip(arrays, specs, strict=True))
    return Batch(
        tuple(_for_hardware(array, spec, formula) for array, spec in pairs),
        tuple(_for_reference(array, spec) for array, spec in pairs),
        labels,
    )


def _batch_size(count: int, specs: Sequence[ValueSpec], asked: int | None) -> int:
    fixed = {spec.shape[0] for spec in specs if spec.shape and spec.shape[0] != -1}
    if count == 0:
        raise InputError("there are no samples", accepted="at least one sample")
    if not fixed:
        elements = sum(math.prod(spec.shape[1:]) for spec in specs)
        return min(count, asked or max(1, min(MOST_BATCH, BATCH_ELEMENTS // max(elements, 1))))
    size = min(fixed)
    if asked is not None and asked != size:
        raise UsageError(f"the model takes batches of {size} only, not {asked}", where="--batch")
    if count % size:
        raise InputError(
            f"the model takes batches of {size} only, and {count} samples do not divide into them",
            accepted=f"a multiple of {size} samples",
        )
    return size


def check_input(array: Array, spec: ValueSpec, where: str) -> None:
    """Check one array of samples: dimensions but the first, type, NaN.

    Args:
        array: the samples.
        spec: the input they are for.
        where: the file they came from, or which input they are for.

    Raises:
        InputError: names the file or input, what was found and what is accepted.
    """
    wanted = f"{spec.name} {shape_text(spec.shape)}"
    if array.ndim != len(spec.shape) or array.shape[1:] != tuple(spec.shape[1:]):
        raise InputError(f"has shape {shape_text(array.shape)}", where=where, accepted=wanted)
    kind = array.dtype.kind
    codes_fit = spec.format is not None and spec.scale is not None
    dtype = np.dtype(spec.dtype)
    if array.dtype != dtype and not (codes_fit and (kind in "iu" or array.dtype == np.float32)):
        raise InputError(f"holds {array.dtype}", where=where, accepted=_accepted_type(array, spec))
    if kind == "f" and not np.isfinite(array).all():
        index = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
        raise InputError(
            f"holds {array[index]} at index {list(index)}",
            where=where,
            accepted="finite numbers",
        )
    if kind in "iu" and codes_fit and spec.format is not None and not spec.format.fits(array):
        outside = (array < spec.format.min) | (array > spec.format.max)
        index = tuple(map(int, np.argwhere(outside)[0]))
        raise InputError(
            f"holds the code {array[index]} at index {list(index)}",
            where=where,
            accepted=f"{spec.format.min}..{spec.format.max}",
        )


def _accepted_type(array: Array, spec: ValueSpec) -> str:
    """Return which types an input takes, and how samples of another become one of them."""
    dtype, kind = np.dtype(spec.dtype), array.dtype.kind
    if spec.format is not None:
        cure = '; save it with .astype("float32")' if kind == "f" else ""
        return f"float32 or {spec.format.dtype} codes{cure}"
    if kind == dtype.kind or (kind in "iu" and dtype.kind in "iu"):
        return f'{dtype}; save it with .astype("{dtype}")'
    if kind in "iu" and dtype == np.float32:
        return f"{dtype}, or integer codes with --quantized-io"
    return str(dtype)


def _for_hardware(array: Array, spec: ValueSpec, formula: Formula) -> Array:
    integer_input = np.dtype(spec.dtype).kind in "iu"
    if array.dtype.kind == "f" and integer_input and spec.scale is not None and spec.format:
        import hw_models

        quantized: Array = hw_models.quantize(
            array, spec.scale, spec.zero_point, output=spec.format, formula=formula
        )
        return quantized.astype(spec.dtype)
    if array.dtype.kind in "iu" and not integer_input:
        return _real(array, spec)
    return np.ascontiguousarray(array, dtype=spec.dtype)


def _for_reference(array: Array, spec: ValueSpec) -> Array:
    codes = array.dtype.kind in "iu" and spec.scale is not None
    return _real(array, spec) if codes else np.ascontiguousarray(array)


def _real(codes: Array, spec: ValueSpec) -> Array:
    import hw_models

    scale = 1.0 if spec.scale is None else spec.scale
    real: Array = hw_models.dequantize(codes, scale, spec.zero_point)
    return real

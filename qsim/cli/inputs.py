"""Which samples a run uses: labelled ones, ``--inputs`` files, calibration data or random codes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.errors import InputError, UsageError
from qsim.evaluate import Array, Arrays, Batch, as_arrays
from qsim.report.words import plural

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
    """

    arrays: Arrays
    labels: Array | None
    source: str

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
        return Samples(tuple(array[:limit] for array in self.arrays), labels, source)


def choose(files: Sequence[Path], model: Model | None, lowered: Lowered) -> Samples:
    """Return the samples: files, else labelled samples, calibration, examples, random codes."""
    if files:
        arrays = tuple(read_npy(path) for path in files)
        name = ", ".join(map(str, files))
        return Samples(arrays, None, _counted(arrays, f"samples of {name}"))
    if model is not None and model.samples is not None:
        given, given_labels = model.samples
        arrays = as_arrays(given)
        if given_labels is None:
            return Samples(arrays, None, _counted(arrays, "samples of the model, without labels"))
        labels = as_arrays(given_labels)[0]
        return Samples(arrays, labels, _counted(arrays, "labelled samples of the model"))
    if model is not None and model.calibration:
        batches = [as_arrays(batch) for batch in model.calibration]
        arrays = tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))
        return Samples(arrays, None, _counted(arrays, "calibration samples (no others given)"))
    if model is not None:
        arrays = as_arrays(model.example_inputs)
        return Samples(arrays, None, _counted(arrays, "example inputs (no others given)"))
    arrays = tuple(_random(spec, index) for index, spec in enumerate(lowered.inputs))
    return Samples(arrays, None, _counted(arrays, "seeded random samples (give --inputs)"))


def _counted(arrays: Arrays, what: str) -> str:
    count = arrays[0].shape[0] if arrays and arrays[0].ndim else 0
    return f"{count} {what}"


def _random(spec: ValueSpec, seed: int) -> Array:
    """Return samples whose codes are uniform over the input's format."""
    generator = np.random.default_rng(seed)
    shape = (RANDOM_SAMPLES if spec.shape[0] == -1 else spec.shape[0], *spec.shape[1:])
    if spec.format is None:
        return generator.standard_normal(shape).astype(spec.dtype)
    codes = generator.integers(spec.format.min, spec.format.max, shape, endpoint=True)
    if np.dtype(spec.dtype).kind in "iu":
        return codes.astype(spec.dtype)
    return _real(codes, spec)


def read_npy(path: Path) -> Array:
    """Read one array; never a pickle.

    Raises:
        InputError: the file is missing, not a ``.npy`` file, or holds objects.
    """
    accepted = "a .npy file of float32 or integer codes, samples along dimension 0"
    try:
        with path.open("rb") as file:
            loaded: Any = np.lib.format.read_array(file, allow_pickle=False)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise InputError(f"cannot be read: {reason}", where=str(path), accepted=accepted) from None
    except Exception as error:
        # NumPy reports damage as ValueError, EOFError, SyntaxError, TokenError, MemoryError, ...
        reason = str(error) or type(error).__name__
        raise InputError(
            f"is not a .npy file of numbers: {reason[:200]}", where=str(path), accepted=accepted
        ) from None
    array: Array = loaded
    if array.dtype.kind not in "fiub":
        raise InputError(f"holds {array.dtype}", where=str(path), accepted=accepted)
    return array


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
    for array, spec in zip(samples.arrays, lowered.inputs, strict=True):
        check_input(array, spec)
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


def check_input(array: Array, spec: ValueSpec) -> None:
    """Check one array of samples: dimensions but the first, type, NaN.

    Raises:
        InputError: names the input, what was found and what is accepted.
    """
    wanted = f"{spec.name} {shape_text(spec.shape)}"
    if array.ndim != len(spec.shape) or array.shape[1:] != tuple(spec.shape[1:]):
        raise InputError(
            f"has shape {shape_text(array.shape)}", where=f"input {spec.name}", accepted=wanted
        )
    kind = array.dtype.kind
    codes_fit = spec.format is not None and spec.scale is not None
    dtype = np.dtype(spec.dtype)
    if array.dtype != dtype and not (codes_fit and (kind in "iu" or array.dtype == np.float32)):
        accepted = f"{dtype}" + (f" or {spec.format.dtype} codes" if spec.format else "")
        raise InputError(f"holds {array.dtype}", where=f"input {spec.name}", accepted=accepted)
    if kind == "f" and not np.isfinite(array).all():
        index = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
        raise InputError(
            f"holds {array[index]} at index {list(index)}",
            where=f"input {spec.name}",
            accepted="finite numbers",
        )
    if kind in "iu" and codes_fit and spec.format is not None and not spec.format.fits(array):
        outside = (array < spec.format.min) | (array > spec.format.max)
        index = tuple(map(int, np.argwhere(outside)[0]))
        raise InputError(
            f"holds the code {array[index]} at index {list(index)}",
            where=f"input {spec.name}",
            accepted=f"{spec.format.min}..{spec.format.max}",
        )


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


def shape_text(shape: Sequence[int]) -> str:
    """Return a shape as ``(N, 1, 8, 8)``, N where any batch is taken."""
    return f"({', '.join('N' if size == -1 else str(size) for size in shape)})"

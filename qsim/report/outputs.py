"""What every output of a network is worth: against the float graph, and against the Q/DQ graph."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.network import Lowered, ValueSpec

Array: TypeAlias = npt.NDArray[Any]
Holds: TypeAlias = Literal["codes", "positions", "values"]


def decibels(signal: float, noise: float) -> float:
    """Return a ratio of powers in dB; inf without noise, -inf without a signal."""
    if noise == 0.0:
        return math.inf
    return 10.0 * math.log10(signal / noise) if signal > 0.0 else -math.inf


@dataclass
class OutputUse:
    """One output over all samples.

    Attributes:
        name: of the value in the network.
        shape: of one sample.
        holds: ``codes`` of the accelerator or what they stand for, ``positions`` that it found, or
            ``values`` in torch's own types: float32, or whatever a host operator made.
        elements: how many values were computed.
        has_float, has_qdq: whether that graph was compared.
        differing: values that are not the Q/DQ graph's, to the bit; where they stand for codes, the
            codes that differ.
        signal, noise: power of the float graph's values, and of what the hardware's miss.
    """

    name: str
    shape: tuple[int, ...]
    holds: Holds
    elements: int = 0
    has_float: bool = False
    has_qdq: bool = False
    differing: int = 0
    signal: float = 0.0
    noise: float = 0.0

    @property
    def compared(self) -> bool:
        """Whether there was a graph to compare it with."""
        return self.has_float or self.has_qdq

    @property
    def sqnr_db(self) -> float | None:
        """Signal to quantization noise against the float graph, in dB; inf where exact."""
        if not self.elements or not self.has_float or not math.isfinite(self.signal + self.noise):
            return None  # no value, or one that was infinite or NaN: there is no such ratio
        return decibels(self.signal, self.noise)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of one output."""
        sqnr = self.sqnr_db
        infinite = sqnr is not None and math.isinf(sqnr)
        return {
            "name": self.name,
            "shape": list(self.shape),
            "elements": self.elements,
            "holds": self.holds,
            "sqnr_db": None if infinite else sqnr,
            "sqnr_infinite": infinite,
            "differing": self.differing if self.has_qdq else None,
        }


class Outputs:
    """Collects what the outputs of a network are worth.

    Args:
        lowered: the network.
    """

    def __init__(self, lowered: Lowered) -> None:
        kinds = {name: step.kind for step in lowered.steps for name in step.outputs}
        self._specs: Sequence[ValueSpec] = lowered.outputs
        self.uses = [
            OutputUse(spec.name, tuple(spec.shape[1:]), _holds(spec, kinds.get(spec.name)))
            for spec in lowered.outputs
        ]

    def add(
        self,
        outputs: tuple[Array, ...],
        qdq: tuple[Array, ...] | None,
        real: tuple[Array, ...] | None,
    ) -> None:
        """Add one batch: what the hardware, the Q/DQ graph and the float graph returned."""
        for index, (use, spec, array) in enumerate(
            zip(self.uses, self._specs, outputs, strict=True)
        ):
            value = _real(array, spec)
            use.elements += array.size
            use.shape = tuple(array.shape[1:])
            for references, compare in ((qdq, _compare_qdq), (real, _compare_float)):
                if references is not None and len(references) == len(outputs):
                    compare(use, value, references[index])


def _holds(spec: ValueSpec, made_by: str | None) -> Holds:
    if spec.scale is not None or made_by == "dequantize":
        return "codes"
    return "positions" if made_by == "program" and spec.dtype != "float32" else "values"


def _real(array: Array, spec: ValueSpec) -> Array:
    """Return what an output stands for: integer codes as the Q/DQ graph dequantizes them."""
    if spec.scale is None:
        return array
    from hw_models.dequantize import dequantize

    return dequantize(array, spec.scale, spec.zero_point)


def _compare_qdq(use: OutputUse, value: Array, reference: Array) -> None:
    if value.shape != reference.shape:
        return
    equal = value == reference
    if value.dtype.kind == "f" and reference.dtype.kind == "f":
        equal |= np.isnan(value) & np.isnan(reference)
    use.has_qdq = True
    use.differing += int(np.count_nonzero(~equal))


def _compare_float(use: OutputUse, value: Array, reference: Array) -> None:
    if value.shape != reference.shape or value.dtype.kind != "f" or reference.dtype.kind != "f":
        return  # positions and flags have no noise
    exact = reference.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        use.signal += float(np.square(exact).sum())
        use.noise += float(np.square(exact - value.astype(np.float64)).sum())
    use.has_float = True

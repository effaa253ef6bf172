"""The rescales and curves of a step, in the order of roundings that the target names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.target import derive

if TYPE_CHECKING:
    import numpy.typing as npt

    from hw_models import Requantizer
    from qsim.target import Target

GATE: Final = 2.0**-12
CURVE: Final = 2.0**-15
INTERVALS: Final = 512


@lru_cache(maxsize=32)
def entries(unit: Any) -> npt.NDArray[np.int16]:
    """Return the table of an integer unit of 16 bits."""
    from hw_models import FixedFormat
    from hw_models.tables import unit_table

    wide = FixedFormat(16)
    return unit_table(unit, wide, wide).astype(np.int16)


@lru_cache(maxsize=32)
def chords(name: str, scale: float) -> npt.NDArray[np.integer[Any]]:
    """Return the table that ``interpolate`` takes for a function of 16-bit codes."""
    from hw_models import FixedFormat
    from hw_models.interpolation import interpolation_table

    wide = FixedFormat(16)
    return interpolation_table(name, scale, CURVE, 0, steps=INTERVALS, input=wide, output=wide)


def _double(factor: float) -> Requantizer:
    from hw_models.schemes import FixedPoint

    return FixedPoint.from_scale(factor)


@dataclass(frozen=True, slots=True)
class Rules:
    """The order of roundings of a target."""

    target: Target

    @property
    def kernel(self) -> str:
        """Whose order of roundings the target has."""
        section = self.target.recurrent
        return "tflite-micro" if section is None else section.kernel

    def to_gate(self, s_x: float, s_w: float, scale: float) -> Requantizer:
        """Return the rescale of sums of products to a gate."""
        if self.kernel == "litert":
            product = np.float32(s_x) * np.float32(s_w)
            return _double(float(product / np.float32(scale)))
        return derive.requantizer(self.target, s_x, s_w, scale)

    def of_products(self, s_a: float, s_b: float, s_y: float) -> Requantizer:
        """Return the rescale of a product of gates and states."""
        from hw_models.schemes import PowerOfTwo

        if self.kernel == "litert":
            return PowerOfTwo(int(np.log2(s_y / (s_a * s_b))), "half_away")
        return derive.requantizer(self.target, s_a, s_b, s_y, "mul")

    def of_any(self, s_a: float, s_b: float, s_y: float) -> Requantizer:
        """Return the rescale of a product whose scales need not be powers of two."""
        if self.kernel == "litert":
            product = np.float32(s_a) * np.float32(s_b)
            return _double(float(product / np.float32(s_y)))
        return derive.requantizer(self.target, s_a, s_b, s_y, "mul")

    def to_hidden(self, s_y: float) -> Requantizer:
        """Return the rescale of a product of two curves to the hidden state."""
        if self.kernel == "litert":
            one = np.float32(CURVE)
            return _double(float(one / np.float32(s_y) * one))
        return derive.requantizer(self.target, CURVE, CURVE, s_y, "mul")

    def unit(self, function: str, scale: float) -> Any:
        """Return the integer unit of a curve whose input has a power of two as its scale."""
        from hw_models import tables

        if self.kernel == "litert":
            unit = tables.FixedSigmoid if function == "sigmoid" else tables.FixedTanh
            return unit(int(np.log2(scale)) + 15)
        if function == "sigmoid":
            return tables.Sigmoid16.from_scale(scale)
        # As CMSIS-NN and TFLite-Micro: thrice the code, shifted to twelve fraction bits.
        left = int(np.log2(scale)) + 12
        return tables.Tanh16(3 << left, 0) if left >= 0 else tables.Tanh16(3, -left)

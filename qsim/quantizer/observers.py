"""Observers: they watch calibration data go by and choose scale and zero point.

All of them put their parameters through ``qsim.quantizer.qparams``, so schemes, widths and corners
are the same whatever found the range:

* ``min_max``: the smallest and largest value seen. Nothing seen clips.
* ``moving_average``: minimum and maximum of each batch, averaged with weight 0.01 for the newest.
* ``histogram``: the range with the least expected squared error, searched from both ends of a
  histogram of 2048 to 4096 bins as torchao's ``HistogramObserver`` does, told how many codes the
  format really has.
* ``mse``: the range of ``min_max`` shrunk by the ratio (1.00, 0.99, ... 0.20) at which coding has
  the least squared error, *after* the scale is snapped. Activations are kept as that histogram,
  weights exactly and per channel. Ties take the wider range.

The error that ``histogram`` and ``mse`` minimise is that of the tensor, not of the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, assert_never

import numpy as np
import torch
from torchao.quantization.pt2e import ObserverBase

from qsim.errors import InputError, ModelError
from qsim.quantizer.histogram import Histogram
from qsim.quantizer.limits import Limit, Raised
from qsim.quantizer.qparams import Codes, Coding, Floats, choose, quantize_error

if TYPE_CHECKING:
    from qsim.quantizer.config import ActivationMethod
    from qsim.target import Scheme

_AVERAGING: Final = 0.01
_RATIOS: Final = tuple(ratio / 100 for ratio in range(100, 19, -1))


class _TargetObserver(ObserverBase):  # type: ignore[misc]  # torchao carries no types
    """What PT2E's prepare and convert ask of every observer.

    Attributes:
        dtype: the container of the codes.
        quant_min: smallest code.
        quant_max: largest code.
        qscheme: torch's name for per tensor or per channel.
        ch_axis: the channel axis, or None.
        layer: module path, for messages.
        algorithm: what trains the scale; None where the configuration says nothing.
        coding: the codes and the scheme.
    """

    exact = False  # whether ranges are known to the last bit

    def __init__(
        self,
        dtype: torch.dtype,
        quant_min: int,
        quant_max: int,
        qscheme: torch.qscheme,
        *,
        scheme: Scheme,
        method: ActivationMethod,
        layer: str,
        algorithm: str | None = None,
        ch_axis: int | None = None,
        is_dynamic: bool = False,
    ) -> None:
        super().__init__(dtype, is_dynamic)
        self.quant_min, self.quant_max, self.qscheme = quant_min, quant_max, qscheme
        self.ch_axis, self.method, self.layer = ch_axis, method, layer
        self.algorithm = algorithm
        self.coding = Coding(quant_min, quant_max, scheme, self.exact)

    def _ranges(self) -> tuple[Floats, Floats]:
        raise NotImplementedError

    def qparams(self) -> tuple[Floats, Codes]:
        """Return scales (float64 arrays of fp32 values) and zero points, one per channel."""
        return choose(*self._ranges(), self.coding)

    def calculate_qparams(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return scales (fp32) and zero points (int32), as PT2E's convert reads them."""
        scale, zero = self.qparams()
        return (
            torch.from_numpy(scale.astype(np.float32)),
            torch.from_numpy(zero.astype(np.int32)),
        )


class ActivationObserver(_TargetObserver):
    """Watches a tensor that changes with the input; one scale per tensor."""

    def __init__(self, *args: Any, fixed: tuple[float, int] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Scale and zero point that no data changes.
        self._fixed = fixed
        self._least: Floats | None = None
        self.low, self.high = 0.0, 0.0
        self.batches = 0
        self._histogram = Histogram() if self.method in ("histogram", "mse") else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Take note of one batch and hand it on.

        Raises:
            InputError: the batch holds NaN or infinity; names the layer.
        """
        if x.numel() == 0:
            return x
        low, high = (float(v) for v in torch.aminmax(x.detach()))
        if not (np.isfinite(low) and np.isfinite(high)):
            raise InputError(
                "calibration reached a NaN or an infinity",
                where=self.layer,
                accepted="calibration data that gives finite values in every layer",
            )
        if self.method == "moving_average" and self.batches:
            low = self.low + _AVERAGING * (low - self.low)
            high = self.high + _AVERAGING * (high - self.high)
        elif self.batches:
            low, high = min(low, self.low), max(high, self.high)
        self.low, self.high = low, high
        self.batches += 1
        if self._histogram is not None:
            self._histogram.add(x, low, high)
        return x

    def qparams(self) -> tuple[Floats, Codes]:
        """Return scale and zero point: what data gave, or what they are fixed to."""
        if self._fixed is None:
            return choose(*self._ranges(), self.coding, self._least)
        scale, zero = self._fixed
        return np.array([scale]), np.array([zero])

    @property
    def is_fixed(self) -> bool:
        """Whether scale and zero point are given, whatever data say."""
        return self._fixed is not None

    def fix(self, parameters: tuple[float, int]) -> None:
        """Let scale and zero point be these, whatever data gave."""
        self._fixed = parameters

    def take(self, scale: float, zero: int) -> None:
        """Let the range be that of all codes at this scale; it may still be raised."""
        self.low, self.high = (self.quant_min - zero) * scale, (self.quant_max - zero) * scale
        self._histogram, self._least = None, None

    def raise_to(self, scale: float) -> bool:
        """Let the scale be this at least; return whether that changed it."""
        if self._fixed is not None or float(self.qparams()[0][0]) >= scale:
            return False
        self._least = np.array([scale])
        return True

    def raised(self) -> Raised | None:
        """Return by how much ``raise_to`` changed the scale, if it did."""
        if self._least is None:
            return None
        plain, _ = choose(*self._ranges(), self.coding)
        return Raised.of(self.layer, "activation", self.qparams()[0] / plain)

    def _ranges(self) -> tuple[Floats, Floats]:
        if not self.batches:
            raise InputError(
                "calibration never reached this layer with data",
                where=self.layer,
                accepted="at least one batch that is not empty",
            )
        low, high = np.array([self.low]), np.array([self.high])
        seen = self._histogram
        if seen is None or not self.low < self.high:
            return low, high
        match self.method:
            case "min_max" | "moving_average":
                return low, high
            case "histogram":
                # Bins reach beyond the range by less than one.
                found = seen.least_error(self.quant_max - self.quant_min + 1)
                return np.maximum(low, found[0]), np.minimum(high, found[1])
            case "mse":
                counts = seen.counts.astype(np.float64)
                return _shrink(seen.centres()[None, :], counts[None, :], low, high, self.coding)
            case _:
                assert_never(self.method)


class StateObserver(ActivationObserver):
    """Watches the state of a recurrent cell: the scale stays within the bounds of its unit."""

    def qparams(self) -> tuple[Floats, Codes]:
        """Return the scale, a power of two within the bounds, and zero point 0."""
        from hw_models.recurrent import CELL_SCALES

        scale, zero = super().qparams()
        return np.clip(scale, *CELL_SCALES), zero


class WeightObserver(_TargetObserver):
    """Reads a constant once; one scale per tensor."""

    exact = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._values: torch.Tensor | None = None
        self._found: tuple[Floats, Floats] | None = None
        self._limit: Limit | None = None
        self._chosen: tuple[Floats, Codes] | None = None

    @property
    def blocks(self) -> int | None:
        """How many scales there are where several channels share one; None where none do."""
        return None

    def take(self, values: torch.Tensor, scale: Floats, zero: Codes) -> None:
        """Let the weight be this one, and its ranges those of all codes at these scales.

        Registers of the target may still raise them.

        Args:
            values: the weight.
            scale: one for each row that has a scale.
            zero: likewise.
        """
        self._values, self._chosen = values.detach(), None
        self._found = (self.quant_min - zero) * scale, (self.quant_max - zero) * scale

    def limit(self, limit: Limit) -> None:
        """Keep scales where the registers of the target hold what follows from them."""
        self._limit = limit

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Take note of the constant and hand it on."""
        if self._values is None:
            self._values = x.detach()
        return x

    def _rows(self) -> Floats:
        if self._values is None:
            raise InputError(
                "calibration never reached this layer", where=self.layer, accepted="one batch"
            )
        values = self._values.to(torch.float64).numpy()
        if self.ch_axis is None:
            return values.reshape(1, -1)
        return np.moveaxis(values, self.ch_axis, 0).reshape(values.shape[self.ch_axis], -1)

    def _ranges(self) -> tuple[Floats, Floats]:
        if self._found is None:
            rows = self._rows()
            low, high = rows.min(axis=1), rows.max(axis=1)
            match self.method:
                case "min_max":
                    pass
                case "mse":
                    low, high = _shrink(rows, np.ones((1, 1)), low, high, self.coding)
                case _:
                    raise ModelError(
                        f"weights are not observed by {self.method}",
                        where=self.layer,
                        accepted="min_max, mse",
                    )
            self._found = low, high
        return self._found

    def qparams(self) -> tuple[Floats, Codes]:
        """Return scales (float64 arrays of fp32 values) and zero points, one per channel."""
        if self._chosen is None:
            low, high = self._ranges()
            if self._limit is None:
                self._chosen = choose(low, high, self.coding)
            else:
                self._chosen = self._limit.scales(self._rows(), low, high, self.coding)
        return self._chosen

    def raised(self) -> Raised | None:
        """Return by how much a limit changed scales of channels that are not zero, if it did."""
        if self._limit is None:
            return None
        low, high = self._ranges()
        plain, _ = choose(low, high, self.coding)
        # Of one value or of equal ones, both ends are the same and need not be zero.
        factors = np.where((low != 0.0) | (high != 0.0), self.qparams()[0] / plain, 1.0)
        return Raised.of(self.layer, "weight", factors)


class PerChannelWeightObserver(WeightObserver):
    """Reads a constant once; one scale per output channel.

    PT2E hands the channel axis only to observers with ``PerChannel`` in their name.
    """


class BlockPerChannelWeightObserver(WeightObserver):
    """Reads a constant once; one scale for each of some equal blocks of rows, as gates have."""

    def __init__(self, *args: Any, blocks: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._blocks = blocks

    @property
    def blocks(self) -> int | None:
        """How many scales there are."""
        return self._blocks

    def _rows(self) -> Floats:
        return super()._rows().reshape(self._blocks, -1)

    def qparams(self) -> tuple[Floats, Codes]:
        """Return scales and zero points, one per row; those of a block are the same."""
        rows = super()._rows().shape[0]
        scale, zero = super().qparams()
        return np.repeat(scale, rows // self._blocks), np.repeat(zero, rows // self._blocks)


def _shrink(
    rows: Floats, counts: Floats, low: Floats, high: Floats, coding: Coding
) -> tuple[Floats, Floats]:
    best = np.full(low.shape, np.inf)
    ratio = np.ones(low.shape)
    for candidate in _RATIOS:
        scale, zero = choose(low * candidate, high * candidate, coding)
        error = quantize_error(rows, counts, scale, zero, coding)
        better = error < best
        best, ratio = np.where(better, error, best), np.where(better, candidate, ratio)
    return low * ratio, high * ratio

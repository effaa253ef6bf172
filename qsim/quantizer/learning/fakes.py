"""What stands in a graph where an observer stood, while its parameters are learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from qsim.quantizer.learning.algorithms import ACTIVATIONS, WEIGHTS, Fixed, Learned

if TYPE_CHECKING:
    from qsim.quantizer.learning.batch_norm import LiveNorm
    from qsim.quantizer.observers import ActivationObserver, WeightObserver

_OF_TORCH = torch.ops.quantized_decomposed


class Fake(nn.Module):
    """Quantizes one tensor, and hands gradients to what is trained of its parameters.

    Attributes:
        observer: what stood here: it chose what training begins with, and takes what it finds.
        learned: the algorithm.
        frozen: computes what the converted graph computes, by its operators and the observer's
            parameters.
        off: hands on what it is given.
    """

    def __init__(self, observer: Any, learned: Learned) -> None:
        super().__init__()
        # Not a submodule: nothing of an observer is trained.
        object.__setattr__(self, "observer", observer)
        self.learned = learned
        self.frozen = self.off = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the values of the codes of x."""
        if self.off:
            return x
        if self.frozen:
            return as_converted(x, self.observer)
        found: torch.Tensor = self.learned(x)
        return found


class FakeActivation(Fake):
    """Quantizes a tensor that changes with the input."""

    observer: ActivationObserver

    def settle(self) -> None:
        """Give the observer what training found."""
        if not self.observer.is_fixed:
            scale, zero = self.learned.qparams()
            self.observer.take(float(scale[0]), int(zero[0]))


class Folded:
    """Stands for a constant that a batch norm is folded into.

    Attributes:
        norm: the batch norm, while that is trained.
    """

    norm: LiveNorm | None = None

    def fold(self, norm: LiveNorm | None) -> None:
        """Quantize what a batch norm is folded into; None: the constant again."""
        object.__setattr__(self, "norm", norm)  # the graph has the module


class FakeWeight(Folded, Fake):
    """Quantizes a weight."""

    observer: WeightObserver

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the values of the codes of x, or of what is folded while that is trained."""
        return super().forward(x if self.norm is None else self.norm.folded_weight())

    def settle(self, values: torch.Tensor) -> None:
        """Give the observer the weight and what training found of its scales."""
        self.learned.follow(values)
        scale, zero = self.learned.qparams()
        self.observer.take(values, scale, zero)


class FakeBias(Folded, nn.Module):
    """Quantizes a bias at the product of the scales of activation and weight, as observed.

    Its gradient is 1: a register is wide.
    """

    def __init__(self, observer: Any) -> None:
        super().__init__()
        object.__setattr__(self, "observer", observer)  # not a submodule, as of others
        self.frozen = self.off = False

    def forward(self, bias: torch.Tensor) -> torch.Tensor:
        """Return the values of the codes of a bias, or of what is folded while that is trained."""
        if self.off:
            return bias
        if self.norm is not None:
            bias = self.norm.folded_bias()
        if self.frozen:
            return as_converted(bias, self.observer)
        return bias


def as_converted(x: torch.Tensor, observer: Any) -> torch.Tensor:
    """Quantize and dequantize by the operators that PT2E's convert puts in an observer's place."""
    scale, zero = observer.calculate_qparams()
    low, high, dtype = observer.quant_min, observer.quant_max, observer.dtype
    found: torch.Tensor
    if observer.ch_axis is not None:
        axis = observer.ch_axis
        codes = _OF_TORCH.quantize_per_channel(x, scale, zero, axis, low, high, dtype)
        found = _OF_TORCH.dequantize_per_channel(codes, scale, zero, axis, low, high, dtype)
        return found
    s, z = float(scale.reshape(-1)[0]), int(zero.reshape(-1)[0])
    codes = _OF_TORCH.quantize_per_tensor(x, s, z, low, high, dtype)
    found = _OF_TORCH.dequantize_per_tensor(codes, s, z, low, high, dtype)
    return found


def fake_activation(observer: ActivationObserver, name: str | None = None) -> FakeActivation:
    """Return what learns the parameters of an activation, begun with what its observer found.

    ``name`` is the algorithm; without one it is the configuration's.
    """
    chosen = name or observer.algorithm or "lsq"
    kind = Fixed if observer.is_fixed else ACTIVATIONS[chosen]
    return FakeActivation(observer, _begun(kind(observer.coding, None), observer, None))


def fake_weight(
    observer: WeightObserver, values: torch.Tensor, name: str | None = None
) -> FakeWeight:
    """Return what learns the scales or the rounding of a weight, as :func:`fake_activation`."""
    scales = len(observer.qparams()[0])
    rows = 1 if observer.blocks is None else scales // observer.blocks
    kind = WEIGHTS[name or observer.algorithm or "lsq"]
    learned = kind(observer.coding, observer.ch_axis, rows)
    return FakeWeight(observer, _begun(learned, observer, values.detach()))


def _begun(learned: Learned, observer: Any, values: torch.Tensor | None) -> Learned:
    scale, zero = (
        torch.from_numpy(part[:: learned.rows].copy()).to(torch.float32)
        for part in observer.qparams()
    )
    learned.start(scale, zero, values)
    return learned

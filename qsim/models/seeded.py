"""Weights, batch-norm statistics and inputs for networks that nobody trained.

A function of the seed alone, so that everybody's are the same; shaped so that activations are
neither dead nor exploding, because a network of zeros or infinities tests nothing.

torch's normal numbers differ between processors (its SIMD levels have their own logarithms), and so
do sums of floats. So normal numbers are sums of integers here, what needs sums is computed in
float64, and what float64 gives is rounded to ``2**-12``: the last bits of a sum lie nine decimal
digits below that.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import nn

from qsim.torch_threads import one_torch_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qsim.models.spec import Model


_NORMS: Final = (nn.BatchNorm1d, nn.BatchNorm2d)
_PARTS: Final = 12  # sixteen-bit numbers in a normal one: their sum has a variance of 1
_CHUNK: Final = 1 << 20


class Draws:
    """Random numbers out of a bit stream that NumPy promises to keep, by integer operations."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def normal(self, *shape: int) -> torch.Tensor:
        """Return about normal numbers (float32; mean 0, deviation 1): sums of twelve uniform ones.

        Each is a multiple of ``2**-16`` between -6 and 6, so exact in float32.
        """
        count = math.prod(shape)
        values = np.empty(count, np.float32)
        for start in range(0, count, _CHUNK):
            part = values[start : start + _CHUNK]
            sums = self._sixteen(_PARTS * part.size).reshape(-1, _PARTS).sum(axis=1, dtype=np.int64)
            part[:] = (sums - _PARTS * 32768 + _PARTS // 2) / 65536.0
        return torch.from_numpy(values).reshape(shape)

    def uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        """Return numbers (float32) between two ends, of 65536 equal steps."""
        steps = self._sixteen(math.prod(shape)).astype(np.float64) / 65536.0
        return torch.from_numpy((low + (high - low) * steps).astype(np.float32)).reshape(shape)

    def _sixteen(self, count: int) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
        words: np.ndarray[tuple[int], np.dtype[np.uint64]] = self._bits.random_raw(-(-count // 4))
        return words.astype("<u8").view("<u2")[:count]


class Headed(nn.Module):
    """A network whose last layer is ``fc``."""

    fc: nn.Linear


@contextlib.contextmanager
def undisturbed(seed: int = 0) -> Iterator[None]:
    """Seed torch's CPU stream and take one thread inside; give the caller's back after."""
    with one_torch_thread(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def smooth_images(count: int, shape: tuple[int, int, int], draws: Draws) -> torch.Tensor:
    """Return images in 0..1 with large and small features, multiples of ``2**-12`` in float32.

    Args:
        count: how many.
        shape: channels, height and width of one.
        draws: the random numbers.
    """
    channels, height, width = shape

    def layer(rows: int, columns: int) -> torch.Tensor:
        coarse = draws.normal(count, channels, rows, columns).double()
        return nn.functional.interpolate(coarse, (height, width), mode="bilinear")

    blend = 1.0 * layer(4, 4) + 0.5 * layer(max(1, height // 4), max(1, width // 4))
    blend = blend + 0.15 * layer(height, width)
    images = torch.sigmoid(1.5 * blend)
    _coarsen(images)
    return images.float()


@torch.no_grad()
def seed_weights(net: nn.Module, draws: Draws) -> None:
    """Draw every weight so that a deep network carries its input to the end, as a trained one does.

    He-normal kernels alone make a chaotic network: each layer amplifies the error of the one
    before, and after twenty of them any quantization looks hopeless. So depthwise kernels pass
    their channel on with small changes, 1x1 kernels are orthogonal, and batch norm leaves most
    activations on the linear side of the relu.
    """
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            deviation = math.sqrt(2.0 / module.weight[0].numel())
            module.weight.copy_(draws.normal(*module.weight.shape) * deviation)
            if module.bias is not None:
                module.bias.copy_(draws.normal(*module.bias.shape) * 0.05)
        if isinstance(module, nn.Conv2d):
            _carry(module, draws)
        elif isinstance(module, _NORMS):
            module.weight.copy_(draws.uniform(0.8, 1.2, *module.weight.shape))
            module.bias.copy_(draws.normal(*module.bias.shape) * 0.3 + 0.7)


def _carry(conv: nn.Conv2d, draws: Draws) -> None:
    outputs, inputs, height, width = conv.weight.shape
    if conv.groups > 1:
        conv.weight.mul_(0.1)
        conv.weight[:, :, height // 2, width // 2] += 1.0
    elif height == width == 1:
        tall = draws.normal(max(outputs, inputs), min(outputs, inputs)).double()
        basis, triangle = torch.linalg.qr(tall)
        basis = basis * triangle.diagonal().sign() * 2.0**0.5
        _coarsen(basis)
        conv.weight.copy_((basis if outputs >= inputs else basis.T)[:, :, None, None])


def settle_statistics(net: nn.Module, batches: tuple[torch.Tensor, ...]) -> None:
    """Set batch-norm statistics to the average over the batches, and the network to eval mode."""
    norms = [module for module in net.modules() if isinstance(module, _NORMS)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average
    net.train()
    with torch.no_grad():
        for batch in batches:
            net(batch)
    net.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        for statistic in (norm.running_mean, norm.running_var):
            if statistic is not None:
                _coarsen(statistic)


@torch.no_grad()
def balance_outputs(net: nn.Module, last: nn.Linear, images: torch.Tensor) -> None:
    """Give the last layer outputs of mean 0 and deviation 2, so that all classes get images."""
    outputs = net(images)
    last.weight.mul_(2.0 / outputs.std(0)[:, None])
    last.bias.mul_(2.0 / outputs.std(0)).sub_(2.0 * outputs.mean(0) / outputs.std(0))
    _coarsen(last.weight)
    _coarsen(last.bias)


def _coarsen(tensor: torch.Tensor) -> None:
    """Round to ``2**-12``: another processor's order of float additions then changes nothing."""
    tensor.mul_(4096.0).round_().div_(4096.0)


def seeded_model(
    name: str,
    make: Callable[[], Headed],
    *,
    shape: tuple[int, int, int],
    seed: int,
    samples: int,
    calibration: int = 32,
    flat: bool = False,
) -> Model:
    """Return a network with seeded weights, its calibration batches and unlabelled samples.

    Args:
        name: of the model.
        make: the network's constructor; it takes ``[N, *shape]``.
        shape: channels, height and width of an input.
        seed: of weights and inputs.
        samples: number of inputs to measure on; none of them is one to calibrate on.
        calibration: number of inputs to calibrate on, in batches of 8.
        flat: the network takes each input as one vector.
    """
    from qsim.models.spec import Model

    with undisturbed(seed):
        images = smooth_images(calibration + samples, shape, Draws(seed))
        images = images.flatten(1) if flat else images
        batches = torch.split(images[:calibration], 8)
        net = make()
        seed_weights(net, Draws(seed + 1))
        net.double()
        settle_statistics(net, tuple(batch.double() for batch in batches))
        balance_outputs(net, net.fc, images[:calibration].double())
        net.float()
    measured = images[calibration:]
    return Model(net, (measured[:1],), tuple((b,) for b in batches), (measured, None), name)

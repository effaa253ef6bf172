"""Weights, batch-norm statistics and inputs for networks that nobody trained.

Seeded, so that everybody's are the same; shaped so that activations are neither dead nor
exploding, because a network of zeros or infinities tests nothing.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import torch
from torch import nn

from qsim.torch_threads import one_torch_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qsim.models.spec import Model


_NORMS: Final = (nn.BatchNorm1d, nn.BatchNorm2d)


class Headed(nn.Module):
    """A network whose last layer is ``fc``."""

    fc: nn.Linear


@contextlib.contextmanager
def undisturbed(seed: int = 0) -> Iterator[None]:
    """Seed torch's CPU stream and take one thread inside; give the caller's back after."""
    with one_torch_thread(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def smooth_images(count: int, shape: tuple[int, int, int], seed: int) -> torch.Tensor:
    """Return images in 0..1 with large and small features.

    Args:
        count: how many.
        shape: channels, height and width of one.
        seed: of the generator.
    """
    generator = torch.Generator().manual_seed(seed)
    channels, height, width = shape

    def layer(rows: int, columns: int) -> torch.Tensor:
        coarse = torch.randn(count, channels, rows, columns, generator=generator)
        return nn.functional.interpolate(coarse, (height, width), mode="bilinear")

    blend = 1.0 * layer(4, 4) + 0.5 * layer(max(1, height // 4), max(1, width // 4))
    blend = blend + 0.15 * layer(height, width)
    return torch.sigmoid(1.5 * blend)


def seed_weights(net: nn.Module, generator: torch.Generator) -> None:
    """Draw every weight so that a deep network carries its input to the end, as a trained one does.

    He-normal kernels alone make a chaotic network: each layer amplifies the error of the one
    before, and after twenty of them any quantization looks hopeless. So depthwise kernels pass
    their channel on with small changes, 1x1 kernels are orthogonal, and batch norm leaves most
    activations on the linear side of the relu.
    """
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.05, generator=generator)
        if isinstance(module, nn.Conv2d):
            _carry(module, generator)
        elif isinstance(module, _NORMS):
            nn.init.uniform_(module.weight, 0.8, 1.2, generator=generator)
            nn.init.normal_(module.bias, mean=0.7, std=0.3, generator=generator)


@torch.no_grad()
def _carry(conv: nn.Conv2d, generator: torch.Generator) -> None:
    outputs, inputs, height, width = conv.weight.shape
    if conv.groups > 1:
        conv.weight.mul_(0.1)
        conv.weight[:, :, height // 2, width // 2] += 1.0
    elif height == width == 1:
        tall = torch.empty(max(outputs, inputs), min(outputs, inputs))
        nn.init.orthogonal_(tall, gain=2.0**0.5, generator=generator)
        _coarsen(tall)
        conv.weight.copy_((tall if outputs >= inputs else tall.T)[:, :, None, None])


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
    """Round to 2**-12: another processor's order of float additions then changes nothing."""
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
        images = smooth_images(calibration + samples, shape, seed)
        images = images.flatten(1) if flat else images
        batches = torch.split(images[:calibration], 8)
        net = make()
        seed_weights(net, torch.Generator().manual_seed(seed))
        settle_statistics(net, batches)
        balance_outputs(net, net.fc, images[:calibration])
    measured = images[calibration:]
    return Model(net, (measured[:1],), tuple((b,) for b in batches), (measured, None), name)

"""Rounding that hands gradients on: what the papers call a straight-through estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from qsim.quantizer.qparams import held

if TYPE_CHECKING:
    from qsim.quantizer.qparams import Coding


def through(value: torch.Tensor, exact: torch.Tensor) -> torch.Tensor:
    """Return ``exact``, with the gradient of ``value``."""
    return value + (exact - value).detach()


def snapped(scale: torch.Tensor, coding: Coding) -> torch.Tensor:
    """Return scales as the target has them, with gradient 1.

    Training sees the scales that the network will have: ``qparams.held`` makes both.
    """
    if coding.exact and coding.scheme != "power_of_two":
        return scale  # float32 already
    found = held(scale.detach().to(torch.float64).numpy(), coding)
    return through(scale, torch.from_numpy(found).to(scale.dtype))

"""Rounding that hands gradients on: what the papers call a straight-through estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from qsim.quantizer.qparams import on_grid, power_of_two_above

if TYPE_CHECKING:
    from qsim.quantizer.qparams import Coding


def through(value: torch.Tensor, exact: torch.Tensor) -> torch.Tensor:
    """Return ``exact``, with the gradient of ``value``."""
    return value + (exact - value).detach()


def rounded(value: torch.Tensor) -> torch.Tensor:
    """Return the nearest integers, ties to even, with gradient 1."""
    return through(value, value.round())


def snapped(scale: torch.Tensor, coding: Coding) -> torch.Tensor:
    """Return scales as the target has them, with gradient 1.

    The next power of two, the next number of 12 significant bits, or (weights) as they are: what
    ``qparams.choose`` makes of them, so that training sees the scales that the network will have.
    """
    if coding.exact and coding.scheme != "power_of_two":
        return scale
    plain = scale.detach().to(torch.float64).numpy()
    if coding.scheme == "power_of_two":
        found = power_of_two_above(plain * (1.0 - 2.0**-26))
    else:
        found = on_grid(plain)
    return through(scale, torch.from_numpy(np.asarray(found)).to(scale.dtype))

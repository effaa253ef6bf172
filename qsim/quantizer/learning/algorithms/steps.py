"""The values of codes, with the gradients of the papers; ``n`` and ``p`` are the ends of the codes.

All round ties to even, as the quantize of a graph does.
"""

from __future__ import annotations

import math
from typing import Any

import torch


class Clipped(torch.autograd.Function):
    """``y = s * round(clamp(x / s, n, p))``; no gradient reaches the scale.

        dy/dx = 1 where n <= x / s <= p, else 0

    The straight-through estimator of Jacob et al. (2018, arXiv:1712.05877, section 3).
    """

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, scale: torch.Tensor, low: torch.Tensor, high: torch.Tensor
    ) -> torch.Tensor:
        """Return the values of codes."""
        v = x / scale
        ctx.save_for_backward((v >= low) & (v <= high))
        return torch.clamp(v.round(), low, high) * scale

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
        """Return the gradient of x."""
        (inside,) = ctx.saved_tensors
        return grad * inside, None, None, None


class Stepped(torch.autograd.Function):
    """``y = s * round(clamp((x - b) / s, n, p)) + b``, with v = (x - b) / s.

        dy/dx = 1              where n < v < p, else 0
        dy/ds = round(v) - v   where n < v < p
                n              where v <= n
                p              where v >= p
        dy/db = 0              where n < v < p, else 1

    LSQ (Esser et al. 2020, arXiv:1902.08153, equations 3 and 5), and with the offset LSQ+ (Bhalgat
    et al. 2020, arXiv:2004.09576, equations 5 to 8). On an accelerator b is ``-z * s`` of a whole
    z.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        scale: torch.Tensor,
        offset: torch.Tensor,
        low: torch.Tensor,
        high: torch.Tensor,
    ) -> torch.Tensor:
        """Return the values of codes."""
        v = (x - offset) / scale
        ctx.save_for_backward(v, scale, offset, low, high)
        return torch.clamp(v.round(), low, high) * scale + offset

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
        """Return the gradients of x, of the step and of the offset."""
        v, scale, offset, low, high = ctx.saved_tensors
        inside = (v > low) & (v < high)
        ends = torch.where(v <= low, low.expand_as(v), high.expand_as(v))
        of_scale = grad * torch.where(inside, v.round() - v, ends)
        of_offset = grad * ~inside
        return (
            grad * inside,
            of_scale.sum_to_size(scale.shape),
            of_offset.sum_to_size(offset.shape),
            None,
            None,
        )


class Thresholded(torch.autograd.Function):
    """``y = s * clamp(round(x / s), n, p)`` with ``s = 2**ceil(log2 t) / 2**k``, v = x / s.

        dy/dx        = 1                         where n <= round(v) <= p, else 0
        dy/d(log2 t) = s ln 2 * (round(v) - v)   where n <= round(v) <= p
                       s ln 2 * n                where round(v) < n
                       s ln 2 * p                where round(v) > p

    TQT (Jain, Gural, Wu, Dick 2020, arXiv:1903.08066, equations 4, 7 and 8): the ceiling has
    gradient 1, and values inside the threshold move it too. An estimator with the last two lines
    alone only ever widens it (section 3.4 there).
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        log2_t: torch.Tensor,
        scale: torch.Tensor,
        low: torch.Tensor,
        high: torch.Tensor,
    ) -> torch.Tensor:
        """Return the values of codes; ``scale`` follows from ``log2_t`` and has no gradient."""
        v = x / scale
        ctx.save_for_backward(v, log2_t, scale, low, high)
        return torch.clamp(v.round(), low, high) * scale

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
        """Return the gradients of x and of the binary logarithm of the threshold."""
        v, log2_t, scale, low, high = ctx.saved_tensors
        code = v.round()
        inside = (code >= low) & (code <= high)
        ends = torch.where(code < low, low.expand_as(v), high.expand_as(v))
        of_threshold = grad * torch.where(inside, code - v, ends) * scale * math.log(2.0)
        return grad * inside, of_threshold.sum_to_size(log2_t.shape), None, None, None


class Activated(torch.autograd.Function):
    """``y = s * round(clamp(x, n * s, a) / s)`` with ``s = a / p``.

        dy/dx = 1   where n * s <= x < a, else 0
        dy/da = 1   where x >= a, else 0

    PACT (Choi et al. 2018, arXiv:1805.06085, equations 1 to 3), whose n is 0.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        clip: torch.Tensor,
        scale: torch.Tensor,
        low: torch.Tensor,
        high: torch.Tensor,
    ) -> torch.Tensor:
        """Return the values of codes; ``scale`` follows from ``clip`` and has no gradient."""
        above, below = x >= clip, x < low * scale
        ctx.save_for_backward(above, below, clip)
        return torch.clamp((x / scale).round(), low, high) * scale

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
        """Return the gradients of x and of the clipping level."""
        above, below, clip = ctx.saved_tensors
        of_clip = (grad * above).sum_to_size(clip.shape)
        return grad * ~(above | below), of_clip, None, None, None

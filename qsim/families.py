"""Families of aten operators: what an operator means to the datapath, whatever its overload.

| family     | operators                                           | primitives                    |
|------------|-----------------------------------------------------|-------------------------------|
| `conv`     | conv1d, conv2d (also `.padding`), convolution       | correlation, bias*, requantize|
| `linear`   | linear                                              | correlation, bias*, requantize|
| `addmm`    | addmm with a 1-D constant bias, alpha = beta = 1    | correlation, bias*, requantize|
| `matmul`   | mm, bmm, matmul                                     | matmul, requantize            |
| `add`      | add, add_ of two equal shapes                       | add                           |
| `relu`     | relu, relu6, hardtanh, clamp, clamp_min, clamp_max  | clamp                         |
| `max_pool` | max_pool1d, max_pool2d                              | max_pool                      |
| `avg_pool` | avg_pool1d/2d, adaptive_avg_pool1d/2d, spatial mean | avg_pool                      |
| `reshape`  | flatten, view, reshape, squeeze, unsqueeze          | reshape                       |
| `permute`  | permute, transpose, t                               | permute                       |
| `identity` | contiguous, clone, detach, alias, dropout in eval   | none                          |

The table goes by the overload alone; ``qsim.operators.family`` looks at the arguments too. torch is
imported inside the functions, so that importing this module costs nothing.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

FAMILIES: Final[tuple[str, ...]] = (
    "conv",
    "linear",
    "addmm",
    "matmul",
    "add",
    "relu",
    "max_pool",
    "avg_pool",
    "reshape",
    "permute",
    "identity",
)
# Operators whose output codes are input codes (chosen, moved or averaged): they share its qparams.
SHARING: Final[frozenset[str]] = frozenset(
    {"relu", "max_pool", "avg_pool", "reshape", "permute", "identity"}
)
_OVERLOADS: Final[Mapping[str, tuple[str, ...]]] = {
    "conv": (
        "conv1d.default",
        "conv1d.padding",
        "conv2d.default",
        "conv2d.padding",
        "convolution.default",
    ),
    "linear": ("linear.default",),
    "addmm": ("addmm.default",),
    "matmul": ("mm.default", "bmm.default", "matmul.default"),
    "add": ("add.Tensor", "add_.Tensor"),
    "relu": (
        "relu.default",
        "relu_.default",
        "relu6.default",
        "relu6_.default",
        "hardtanh.default",
        "hardtanh_.default",
        "clamp.default",
        "clamp_.default",
        "clamp_min.default",
        "clamp_min_.default",
        "clamp_max.default",
        "clamp_max_.default",
    ),
    "max_pool": ("max_pool1d.default", "max_pool2d.default"),
    "avg_pool": (
        "avg_pool1d.default",
        "avg_pool2d.default",
        "adaptive_avg_pool1d.default",
        "adaptive_avg_pool2d.default",
        "_adaptive_avg_pool2d.default",
        "mean.dim",
    ),
    "reshape": (
        "flatten.using_ints",
        "view.default",
        "_unsafe_view.default",
        "reshape.default",
        "squeeze.dim",
        "squeeze.dims",
        "unsqueeze.default",
    ),
    "permute": ("permute.default", "transpose.int", "t.default"),
    "identity": (
        "contiguous.default",
        "clone.default",
        "detach.default",
        "detach_.default",
        "alias.default",
        "lift_fresh_copy.default",
        "dropout.default",
    ),
}


@functools.cache
def table() -> Mapping[Any, str]:
    """Return the family of every aten overload that has one, before its arguments are looked at."""
    import torch

    found = {}
    for name, overloads in _OVERLOADS.items():
        for overload in overloads:
            packet, _, variant = overload.partition(".")
            found[getattr(getattr(torch.ops.aten, packet), variant)] = name
    return found

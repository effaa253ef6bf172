"""Requantize int32 accumulators to int8, against torch.quantize_per_tensor on as many elements."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import torch

from benchmarks.harness import measure, one_thread, table
from hw_models.requantize import requantize_plan
from hw_models.schemes import FixedPoint, FloatScale, PowerOfTwo, Requantizer

# Batch, channels, height and width.
SHAPES = ((1, 64, 56), (1, 256, 56), (8, 64, 56), (1, 128, 28), (1, 512, 7))


def main() -> None:
    """Print the table."""
    one_thread()
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    timings = []
    for batch, channels, size in SHAPES:
        x = rng.integers(-100_000, 100_000, (batch, channels, size, size), np.int32)
        last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        real = torch.from_numpy(x.astype(np.float32))
        scale = rng.uniform(0.001, 0.002, channels)
        peers = {"torch": partial(torch.quantize_per_tensor, real, 800.0, 3, torch.qint8)}
        schemes: dict[str, Requantizer] = {
            "single": FixedPoint.from_scale(scale, rounding="single"),
            "double": FixedPoint.from_scale(scale),
            "float32": FloatScale(scale),
            "shift": PowerOfTwo([10] * channels),
        }
        for name, scheme in schemes.items():
            for order, array in (("NCHW", x), ("NHWC", last)):
                ours = {"plan": partial(requantize_plan(scheme, 3), array)}
                label = f"{name} {order} {batch}x{channels}x{size}x{size}"
                timings.append(measure(label, ours | peers, work=x.size, target=1.0))
    print(table(timings, "elem"))


if __name__ == "__main__":
    main()

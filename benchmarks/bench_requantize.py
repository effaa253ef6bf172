"""Requantize int32 accumulators to int8, against torch quantizing as many float32 elements.

Like is compared with like: one scale for the tensor with ``torch.quantize_per_tensor``, one for
each channel with ``torch.quantize_per_channel``. The last rows set a scale for each channel against
torch with one for the tensor: nothing is promised there, but networks' layers have the former.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.harness import measure, one_thread, table
from hw_models.requantize import requantize_plan
from hw_models.schemes import FixedPoint, FloatScale, PowerOfTwo, Requantizer

# Batch, channels, height and width.
SHAPES = ((1, 64, 56), (1, 256, 56), (8, 64, 56), (1, 128, 28), (1, 512, 7))


def schemes(scale: Any, shift: Any) -> dict[str, Requantizer]:
    """Return every scheme with the scales given: a scalar, or one per channel."""
    return {
        "double": FixedPoint.from_scale(scale),
        "single": FixedPoint.from_scale(scale, rounding="single"),
        "float32": FloatScale(scale),
        "shift": PowerOfTwo(shift),
    }


def main() -> None:
    """Print the table."""
    one_thread()
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    timings, strict = [], []
    for batch, channels, size in SHAPES:
        shape = f"{batch}x{channels}x{size}x{size}"
        x = rng.integers(-100_000, 100_000, (batch, channels, size, size), np.int32)
        last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        real = torch.from_numpy(x.astype(np.float32))
        scale = rng.uniform(0.001, 0.002, channels)
        inverse, zeros = torch.from_numpy(1 / scale), torch.full((channels,), 3)
        tensor = {
            "torch per tensor": partial(torch.quantize_per_tensor, real, 800.0, 3, torch.qint8)
        }
        channel = {
            "torch per channel": partial(
                torch.quantize_per_channel, real, inverse, zeros, 1, torch.qint8
            )
        }
        for name, scheme in schemes(1 / 800.0, 10).items():
            ours = {"plan": partial(requantize_plan(scheme, 3), x)}
            timings.append(measure(f"{name} {shape}", ours | tensor, work=x.size, target=1.0))
        for name, scheme in schemes(scale, [10] * channels).items():
            for order, array in (("NCHW", x), ("NHWC", last)):
                ours = {"plan": partial(requantize_plan(scheme, 3), array)}
                label = f"{name} channels {order} {shape}"
                strict.append(measure(label, ours | tensor, work=x.size))
                if name == "double":
                    timings.append(
                        measure(label, ours | channel, work=x.size, target=1.0, rounds=10)
                    )
    print(table([*timings, *strict], "elem"))


if __name__ == "__main__":
    main()

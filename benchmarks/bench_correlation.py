"""Correlation side by side with torch's int8 engines, torch's int32 matmul and a NumPy loop.

    python -m benchmarks.bench_correlation

torch's convolutions also requantize to 8 bits; ours return the 32-bit accumulators. Both sides
have packed their weights beforehand, on channels-last quint8 input, batch 1.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.harness import Timing, measure, one_thread, table
from hw_models.correlation import correlation_plan
from hw_models.formats import Accumulator

if TYPE_CHECKING:
    from collections.abc import Callable

# name: channels, size, outputs, kernel, stride, padding, groups
SHAPES = {
    "3x3 64->64 at 56x56": (64, 56, 64, 3, 1, 1, 1),
    "1x1 256->64 at 56x56": (256, 56, 64, 1, 1, 0, 1),
    "7x7/2 3->64 at 224x224": (3, 224, 64, 7, 2, 3, 1),
    "depthwise 3x3 128 at 56x56": (128, 56, 128, 3, 1, 1, 128),
}


def _torch_call(
    name: str, x: torch.Tensor, kernel: torch.Tensor, stride: int, padding: int, groups: int
) -> Callable[[], object]:
    torch.backends.quantized.engine = name
    packed = torch.ops.quantized.conv2d_prepack(
        kernel, None, [stride] * 2, [padding] * 2, [1, 1], groups
    )

    def call() -> object:
        torch.backends.quantized.engine = name
        return torch.ops.quantized.conv2d(x, packed, 0.1, 128)

    return call


def _torch_engines(
    x: np.ndarray, weight: np.ndarray, stride: int, padding: int, groups: int
) -> dict[str, Callable[[], object]]:
    """Return a call per engine that works here, all on one tensor."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        real = (torch.from_numpy(x).float() - 128).contiguous(memory_format=torch.channels_last)
        tensor = torch.quantize_per_tensor(real, 1.0, 128, torch.quint8)
        real = torch.from_numpy(weight).float()
        kernel = torch.quantize_per_tensor(real, 1.0, 0, torch.qint8)
        assert np.array_equal(tensor.int_repr().numpy(), x)
    engines: dict[str, Callable[[], object]] = {}
    for name in torch.backends.quantized.supported_engines:
        if name == "none":
            continue

        try:
            call = _torch_call(name, tensor, kernel, stride, padding, groups)
            call()
        except RuntimeError as error:
            print(f"torch's {name} cannot run {weight.shape}: {str(error).splitlines()[0]}")
            continue
        engines[f"torch {name}"] = call
    return engines


def int8(names: list[str]) -> list[Timing]:
    """Time the int8 kernels against torch's engines."""
    rng = np.random.default_rng(0)
    timings = []
    for name in names:
        channels, size, outputs, kernel, stride, padding, groups = SHAPES[name]
        x = rng.integers(0, 256, (1, channels, size, size), np.uint8)
        shape = (outputs, channels // groups, kernel, kernel)
        weight = rng.integers(-128, 128, shape, np.int64).astype(np.int8)
        last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        plan = correlation_plan(weight, stride, padding, groups=groups, x_zero_point=128)
        out = plan(last)
        contenders = {"qsim": lambda plan=plan, last=last: plan(last)}
        contenders |= _torch_engines(x, weight, stride, padding, groups)
        work = out.size * weight[0].size
        timings.append(measure(name, contenders, work=work, target=1.0))
    return timings


def portable() -> Timing:
    """Time the kernel for processors without VNNI against torch's int32 matmul."""
    rng = np.random.default_rng(0)
    a = rng.integers(-128, 128, (3136, 576), np.int64)
    b = rng.integers(-128, 128, (576, 64), np.int64)
    left, right = torch.from_numpy(a.astype(np.int32)), torch.from_numpy(b.astype(np.int32))
    before = os.environ.get("QSIM_KERNEL")
    os.environ["QSIM_KERNEL"] = "portable"
    try:
        x = np.ascontiguousarray(a.astype(np.int8)).reshape(3136, 576, 1, 1)
        plan = correlation_plan(np.ascontiguousarray(b.T.astype(np.int8))[:, :, None, None])
        assert np.array_equal(plan(x)[:, :, 0, 0], a @ b)
        return measure(
            "portable 3136x576x64",
            {"qsim portable": lambda: plan(x), "torch int32 matmul": lambda: left @ right},
            work=a.size * 64,
            target=2.0,
            rounds=10,
        )
    finally:
        os.environ.pop("QSIM_KERNEL")
        if before is not None:
            os.environ["QSIM_KERNEL"] = before


def _numpy_per_mac(rows: np.ndarray, weight: np.ndarray, low: int, high: int) -> np.ndarray:
    """Saturate after every product: the loop over k in Python, the rest in NumPy."""
    acc = np.zeros((rows.shape[0], weight.shape[0]), np.int32)
    for k in range(rows.shape[1]):
        acc = np.clip(acc + rows[:, k, None] * weight[None, :, k], low, high)
    return acc


def per_mac() -> Timing:
    """Time a saturating 20-bit accumulator against the NumPy loop over k."""
    rng = np.random.default_rng(0)
    rows = rng.integers(-128, 128, (784, 288), np.int64).astype(np.int32)
    weight = rng.integers(-128, 128, (64, 288), np.int64).astype(np.int32)
    accumulator = Accumulator(18, "saturate", "mac")
    plan = correlation_plan(weight[:, :, None, None].astype(np.int8), accumulator=accumulator)
    x = rows.astype(np.int8)[:, :, None, None]
    expected = _numpy_per_mac(rows, weight, accumulator.min, accumulator.max)
    assert np.array_equal(plan(x)[:, :, 0, 0], expected)
    return measure(
        "saturate per mac, 784x288x64",
        {
            "qsim ordered": lambda: plan(x),
            "NumPy loop over k": lambda: _numpy_per_mac(
                rows, weight, accumulator.min, accumulator.max
            ),
        },
        work=rows.size * 64,
        target=5.0,
        rounds=6,
        repeats=1,
    )


def words() -> Timing:
    """Time 16-bit activations with 8-bit weights against torch's int32 matmul of that size."""
    rng = np.random.default_rng(0)
    a = rng.integers(-32768, 32768, (3136, 576), np.int64)
    b = rng.integers(-128, 128, (576, 64), np.int64)
    left, right = torch.from_numpy(a.astype(np.int32)), torch.from_numpy(b.astype(np.int32))
    plan = correlation_plan(
        b.T.astype(np.int8)[:, :, None, None], accumulator=Accumulator(48, "saturate")
    )
    x = a.astype(np.int16).reshape(3136, 576, 1, 1)
    assert np.array_equal(plan(x)[:, :, 0, 0], a @ b)
    return measure(
        "int16 x int8 to 48 bits",
        {"qsim": lambda: plan(x), "torch int32 matmul": lambda: left @ right},
        work=a.size * 64,
        rounds=10,
    )


def main() -> None:
    """Print the table."""
    one_thread()
    torch.set_num_threads(1)
    print(table([*int8(list(SHAPES)), portable(), per_mac(), words()]))


if __name__ == "__main__":
    main()

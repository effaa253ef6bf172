"""One quantized layer, twice: by torch's engines, and in the terms of hw_models.

What each engine computes was found out by measurement; docs/peers.md tells it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import torch

from hw_models.bias_add import bias_add
from hw_models.correlation import correlation
from hw_models.float_requantize import FloatBias, FloatBiasKind, float_requantize
from hw_models.formats import Accumulator, FixedFormat
from hw_models.linear import linear
from hw_models.quantize import quantize
from hw_models.requantize import requantize
from hw_models.schemes import FloatScale
from tests.peers.pytorch.onednn import float_kind_of, kernel_that_runs

F32 = np.float32
ENGINES = [e for e in torch.backends.quantized.supported_engines if e != "none"]

HAS_VNNI = torch.cpu._is_vnni_supported()


@dataclass(frozen=True)
class Geometry:
    """Shape of one layer; a linear layer has no kernel."""

    name: str
    channels: int
    outputs: int
    kernel: tuple[int, ...] = ()
    size: tuple[int, ...] = ()
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1
    batch: int = 2
    extreme: bool = False  # codes at their ends, so that sums pass 2**24

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return (self.outputs, self.channels // self.groups, *self.kernel)


@dataclass(frozen=True)
class Layer:
    """Codes, scales and zero points of one layer."""

    geometry: Geometry
    x: np.ndarray
    weight: np.ndarray
    s_x: np.float32
    z_x: int
    s_w: np.ndarray  # scalar, or one per output channel
    z_w: int
    s_y: np.float32
    z_y: int
    bias: np.ndarray | None = None
    relu: bool = False

    @property
    def format(self) -> FixedFormat:
        return FixedFormat(8, signed=self.x.dtype == np.int8)

    @property
    def clamp(self) -> tuple[int, int] | None:
        return (self.z_y, self.format.max) if self.relu else None


def accumulators(layer: Layer) -> np.ndarray:
    """The integer sums of products: the same for every engine."""
    g = layer.geometry
    if not g.kernel:
        return linear(layer.x, layer.weight, x_zero_point=layer.z_x, weight_zero_point=layer.z_w)
    return correlation(
        layer.x,
        layer.weight,
        stride=g.stride,
        padding=g.padding,
        dilation=g.dilation,
        groups=g.groups,
        x_zero_point=layer.z_x,
        weight_zero_point=layer.z_w,
    )


def fbgemm_depthwise(g: Geometry) -> bool:
    """Whether FBGEMM takes its depthwise kernel (pytorch/FBGEMM FbgemmConv.cc)."""
    return (
        g.groups == g.channels
        and g.groups % 8 == 0
        and g.outputs in (g.groups, 2 * g.groups)
        and g.kernel in ((3, 3), (5, 5))
        and g.padding == g.kernel[0] // 2
        and g.stride in (1, 2)
        and g.dilation == 1
    )


def saturating_pairs(layer: Layer) -> np.ndarray:
    """The sums of FBGEMM's depthwise kernel: vpmaddubsw, also where the CPU has VNNI.

    Taps in row-major order, two by two: each pair's sum of raw products ``x * w`` saturates to 16
    bits; the zero points' share is subtracted afterwards, exactly.
    """
    g = layer.geometry
    geometry = {"stride": g.stride, "padding": g.padding, "groups": g.groups}
    taps = list(np.ndindex(*g.kernel))
    total: np.ndarray = np.int64(0)
    for start in range(0, len(taps), 2):
        pair = np.zeros_like(layer.weight)
        for tap in taps[start : start + 2]:
            pair[(..., *tap)] = layer.weight[(..., *tap)]
        accumulator = Accumulator(16, "saturate", "sum")
        one = correlation(layer.x, pair, pad_value=layer.z_x, accumulator=accumulator, **geometry)
        total = total + one.astype(np.int64)
    plain = correlation(layer.x, layer.weight, pad_value=layer.z_x, **geometry)
    return (total - plain + accumulators(layer)).astype(np.int32)


def engine_that_runs(engine: str, layer: Layer) -> str:
    """What ``x86`` hands a layer to (pytorch aten onednn_utils.h should_use_onednn_quant)."""
    if engine != "x86":
        return engine
    convolution = bool(layer.geometry.kernel)
    vnni = HAS_VNNI and layer.geometry.groups <= 100 and layer.z_w == 0
    return "onednn" if convolution and vnni else "fbgemm"


def float_kind(engine: str, layer: Layer) -> FloatBiasKind | None:
    """Which float steps follow the accumulator; None: an integer bias, then one multiplier.

    ``engine`` must be the one that is set: oneDNN's steps depend on the kernel that it runs.
    """
    runs = engine_that_runs(engine, layer)
    kernel = kernel_that_runs(partial(run_torch, layer))
    assert (kernel is not None) == (runs == "onednn"), (engine, kernel)
    if kernel is not None:
        return float_kind_of(kernel)
    if runs == "qnnpack":
        return None
    return "fbgemm-channel" if layer.s_w.ndim else "fbgemm-tensor"


def _twice_inverted(scale: np.ndarray) -> np.ndarray:
    return F32(1) / (F32(1) / scale)


def expected(engine: str, layer: Layer) -> np.ndarray:
    """The layer's output codes, in the terms of hw_models."""
    kind = float_kind(engine, layer)
    pairs = kind in ("fbgemm-channel", "fbgemm-tensor") and fbgemm_depthwise(layer.geometry)
    acc = saturating_pairs(layer) if pairs else accumulators(layer)
    zero, form, clamp = layer.z_y, layer.format, layer.clamp
    bias = layer.bias
    if kind is None:  # qnnpack
        s = layer.s_w * layer.s_x
        if bias is not None:
            codes = quantize(
                bias, s, output=FixedFormat(32), formula="executorch", axis=0 if s.ndim else None
            )
            acc = bias_add(acc, codes)
        return requantize(acc, FloatScale(s * (F32(1) / layer.s_y)), zero, form, clamp)
    s_x, s_w, s_y = layer.s_x, layer.s_w, layer.s_y
    if kind.startswith("onednn"):  # torch and ideep hand each other reciprocals of scales
        s_x, s_y = _twice_inverted(s_x), _twice_inverted(s_y)
        s_w = s_w if layer.geometry.kernel else _twice_inverted(s_w)
    addend = 0.0 if bias is None else bias
    scheme = FloatBias(kind, float(s_x), s_w, float(s_y), addend)
    return float_requantize(acc, scheme, zero, form, clamp)


def quantized_tensor(codes: np.ndarray, scale: object, zero_point: int) -> torch.Tensor:
    """Codes as torch's quantized tensor, without quantizing anything."""
    tensor = torch.from_numpy(np.ascontiguousarray(codes))
    scales = torch.from_numpy(np.asarray(scale, np.float64))
    if scales.ndim:
        zeros = torch.full(scales.shape, zero_point, dtype=torch.int64)
        return torch._make_per_channel_quantized_tensor(tensor, scales, zeros, 0)
    return torch._make_per_tensor_quantized_tensor(tensor, float(scales), zero_point)


def run_torch(layer: Layer) -> np.ndarray:
    """The layer's output codes, by the engine that is set."""
    g, ops = layer.geometry, torch.ops.quantized
    x = quantized_tensor(layer.x, layer.s_x, layer.z_x)
    weight = quantized_tensor(layer.weight, layer.s_w, layer.z_w)
    bias = None if layer.bias is None else torch.from_numpy(layer.bias)
    suffix = "_relu" if layer.relu else ""
    scale, zero = float(layer.s_y), layer.z_y
    if not g.kernel:
        packed = ops.linear_prepack(weight, bias)
        return getattr(ops, f"linear{suffix}")(x, packed, scale, zero).int_repr().numpy()
    n = len(g.kernel)
    geometry = ([g.stride] * n, [g.padding] * n, [g.dilation] * n, g.groups)
    packed = getattr(ops, f"conv{n}d_prepack")(weight, bias, *geometry)
    return getattr(ops, f"conv{n}d{suffix}")(x, packed, scale, zero).int_repr().numpy()


def random_layer(
    geometry: Geometry,
    rng: np.random.Generator,
    *,
    per_channel: bool,
    signed: bool = False,
    weight_limit: int = 128,
    z_w: int = 0,
) -> Layer:
    """Draw a layer: codes, scales (powers of two among them) and zero points (ends among them)."""
    form = FixedFormat(8, signed=signed)
    shape = (geometry.batch, geometry.channels, *geometry.size)
    z_x, z_y = (
        int(rng.choice([form.min, form.max, rng.integers(form.min, form.max + 1)]))
        for _ in range(2)
    )
    x = rng.integers(form.min, form.max + 1, shape)
    weight = rng.integers(-weight_limit, weight_limit, geometry.weight_shape)
    if geometry.extreme:
        z_x = int(rng.choice([form.min, form.max]))
        x[:] = form.max if z_x == form.min else form.min
        weight = np.abs(weight) | (weight_limit // 2)
        weight = np.minimum(weight, weight_limit - 1)
        weight *= rng.choice([-1, 1], (geometry.outputs, *[1] * (weight.ndim - 1)))
    size = geometry.outputs if per_channel else ()
    if rng.random() < 0.3:
        s_x, s_y = F32(2.0 ** rng.integers(-8, -3)), F32(2.0 ** rng.integers(-6, 0))
        s_w = np.asarray(2.0 ** rng.integers(-9, -4, size), F32)
    else:
        s_x, s_y = F32(rng.uniform(0.001, 0.1)), F32(rng.uniform(0.01, 0.5))
        s_w = np.asarray(rng.uniform(0.0005, 0.02, size), F32)
    if geometry.extreme:
        s_w = s_w * F32(2.0**-8)
    dtypes = (np.int8 if signed else np.uint8), np.int8
    x, weight = x.astype(dtypes[0]), weight.astype(dtypes[1])
    return Layer(geometry, x, weight, s_x, z_x, s_w, z_w, s_y, z_y)


def with_ties(layer: Layer, rng: np.random.Generator) -> Layer:
    """Give every channel a bias that puts one of its outputs next to, or on, a tie."""
    acc = accumulators(layer)
    flat = np.moveaxis(acc, 1, 0).reshape(acc.shape[1], -1)
    column = flat[:, rng.integers(flat.shape[1])]
    form = layer.format
    half = rng.integers(form.min - layer.z_y, form.max - layer.z_y + 1, len(column)) + 0.5
    scale = np.asarray(layer.s_w, np.float64) * float(layer.s_x)
    return replace(layer, bias=(half * float(layer.s_y) - column * scale).astype(F32))


def pairs_saturate(engine: str) -> bool:
    """Whether the engine adds two products in 16 saturating bits (vpmaddubsw: x86 before VNNI)."""
    fbgemm = not HAS_VNNI
    return {
        "qnnpack": False,
        "fbgemm": fbgemm,
        "onednn": onednn_saturates_pairs(),
        "x86": fbgemm or onednn_saturates_pairs(),
    }[engine]


@cache
def onednn_saturates_pairs() -> bool:
    """Ask oneDNN itself: it knows more kinds of VNNI than torch, and may be told to use none."""
    x, one = np.full((1, 64, 3, 3), 255, np.uint8), F32(1)
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "onednn"
    try:
        found = set()
        for kernel in ((), (1, 1), (3, 3)):
            g = Geometry("pairs", 64, 64, kernel, kernel and (3, 3), batch=1)
            weight = np.zeros(g.weight_shape, np.int8)
            weight[:, :2] = 127 * (np.arange(np.prod(kernel, dtype=int)) == 0).reshape(kernel)
            codes = x if kernel else x[..., 0, 0]
            layer = Layer(g, codes, weight, one, 0, np.asarray(one), 0, F32(512), 0)
            found |= set(run_torch(layer).ravel().tolist())
    finally:
        torch.backends.quantized.engine = before
    # 64770 is 127 steps of 512; 32767 is 64.
    assert found <= {64, 127}, found
    return 64 in found

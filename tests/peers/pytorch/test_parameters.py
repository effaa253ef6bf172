"""Parameters chosen at run time, and the codes that they give: torch's and torchao's, every bit.

quantized_decomposed.choose_qparams{,_symmetric}:   choose_qparams("torch"); quantize("torch")
quantized_decomposed.choose_qparams_per_token...:   "torch-per-token"; quantize("torch-per-token"),
                                                    ("torch-per-group") of float32 scales
quantized_decomposed.quantize_per_channel_group:    quantize("torch-per-group") of blocks
ExecuTorch's choose_qparams, quantize_per_tensor:   "executorch"; quantize("executorch")
_choose_qparams_per_tensor, quantize_per_tensor_dynamic, quantized.linear_dynamic: "fbgemm"
torchao choose_qparams_affine, quantize_affine:     "torch", "no-clipping"; quantize("executorch")
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.ao.quantization.fx._decomposed  # registers torch.ops.quantized_decomposed
from torchao.quantization.quant_primitives import (
    MappingType,
    choose_qparams_affine,
    dequantize_affine,
    quantize_affine,
)

from hw_models.dequantize import dequantize
from hw_models.dynamic.choose_qparams import QParamsRule, choose_qparams
from hw_models.errors import NonFiniteError
from hw_models.formats import FixedFormat
from hw_models.quantize import quantize
from tests.peers.drawn import F32, blocks, rows, spans

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
OPS = torch.ops.quantized_decomposed
INT8, UINT8 = FixedFormat(8), FixedFormat(8, signed=False)
TENTH = float(F32(1e-5))
Floats = npt.NDArray[np.float32]
soak = pytest.mark.soak


def equal(ours: npt.NDArray[Any], theirs: Any, x: Floats) -> None:
    """Require equal bits, row by row; -0.0 is no other code than 0."""
    theirs = np.asarray(theirs)
    same = (ours.reshape(len(x), -1) == theirs.reshape(len(x), -1)).all(axis=1)
    if not same.all():
        row = int(np.argmin(same))
        raise AssertionError(f"row {x[row].tolist()}: ours {ours[row]}, theirs {theirs[row]}")


MAPPINGS = {
    "8da4w": (MappingType.ASYMMETRIC, QParamsRule(), {"eps": 2.0**-23}),
    "intx": (MappingType.ASYMMETRIC, QParamsRule(eps=2.0**-126), {}),
    "int8": (
        MappingType.SYMMETRIC,
        QParamsRule("torch", -127, 127, True, TENTH),
        {"eps": 1e-5, "quant_min": -127, "quant_max": 127},
    ),
    "symmetric": (MappingType.SYMMETRIC, QParamsRule("torch", -128, 127, True, 2.0**-126), {}),
    "no-clipping": (
        MappingType.SYMMETRIC_NO_CLIPPING_ERR,
        QParamsRule("no-clipping", -8, 7, True, 2.0**-126),
        {"quant_min": -8, "quant_max": 7},
    ),
}


def torchao(name: str, x: Floats, group: int | None) -> None:
    mapping, rule, options = MAPPINGS[name]
    x = x if rule.symmetric else x[spans(x)]
    t, block = torch.from_numpy(x), [1, group or x.shape[1]]
    s, z = choose_qparams_affine(t, mapping, block, torch.int8, **options)
    q = quantize_affine(t, block, s, z, torch.int8, rule.low, rule.high)
    back = dequantize_affine(q, block, s, z, torch.int8, rule.low, rule.high)
    scale, zero = choose_qparams(x, rule, *((None, group) if group else ((1,),)))
    equal(scale, s.numpy(), x)
    equal(zero, z.numpy(), x)
    where: dict[str, Any] = {"axis": -1, "block": group} if group else {}
    made = quantize(x, scale, zero, INT8, "executorch", **where)
    made = np.clip(made, rule.low, rule.high)
    equal(made, q.numpy(), x)
    equal(dequantize(made, scale, zero, **where), back.numpy(), x)


@pytest.mark.peer("torchao", ["min_max", "choose_scale", "choose_zero_point"])
@pytest.mark.peer("torchao", ["quantize", "dequantize"])
@pytest.mark.parametrize("name", MAPPINGS)
@pytest.mark.parametrize("count", [200, pytest.param(100_000, marks=soak)])
def test_torchao(name: str, count: int) -> None:
    for x in blocks(1, count):
        torchao(name, x, None)
    rng = np.random.default_rng(2)
    for group in (2, 32):
        torchao(name, rows(rng, 50, 3 * group), group)


def per_token(x: Floats) -> None:
    t = torch.from_numpy(x)
    s, z = OPS.choose_qparams_per_token(t, torch.int8)
    scale, zero = choose_qparams(x, QParamsRule("torch-per-token", -128, 127, True, TENTH), (1,))
    equal(scale, s, x)
    equal(zero, z, x)
    q = OPS.quantize_per_token(t, s, z, -128, 127, torch.int8)
    equal(quantize(x, scale, zero, INT8, "torch-per-group"), q, x)
    x = x[spans(x)]
    t = torch.from_numpy(x)
    s, z = OPS.choose_qparams_per_token_asymmetric(t, torch.int8)
    scale, zero = choose_qparams(x, QParamsRule("torch-per-token"), (1,))
    equal(scale, s, x)
    equal(zero, z, x)
    q = OPS.quantize_per_token(t, s, z, -128, 127, torch.int8)
    equal(quantize(x, scale, zero, INT8, "torch-per-token"), q, x)
    back = OPS.dequantize_per_token(q, s, z, -128, 127, torch.int8, torch.float32)
    equal(dequantize(q.numpy(), scale, zero), back, x)
    q = OPS.quantize_per_token(t, s.float(), z, -128, 127, torch.int8)
    equal(quantize(x, scale, zero, INT8, "torch-per-group"), q, x)


@pytest.mark.peer("PyTorch", ["min_max", "choose_scale", "choose_zero_point"])
@pytest.mark.peer("PyTorch", ["quantize", "dequantize"])
@pytest.mark.parametrize("count", [200, pytest.param(100_000, marks=soak)])
def test_per_token(count: int) -> None:
    for x in blocks(3, count):
        per_token(x)


@pytest.mark.peer("PyTorch", ["quantize", "dequantize"])
def test_per_channel_group() -> None:
    x = rows(np.random.default_rng(4), 200, 96)
    rule, where = QParamsRule("no-clipping", symmetric=True), {"axis": -1, "block": 32}
    scale, _ = choose_qparams(x, rule, group=32)
    zero = np.random.default_rng(5).integers(-128, 128, scale.shape)
    given = torch.from_numpy(scale), torch.from_numpy(zero), -128, 127, torch.int8, 32
    q = OPS.quantize_per_channel_group(torch.from_numpy(x), *given)
    equal(quantize(x, scale, zero, INT8, "torch-per-group", **where), q, x)
    back = OPS.dequantize_per_channel_group(q, *given, torch.float32)
    equal(dequantize(q.numpy(), scale, zero, **where), back, x)


def per_tensor(low: int, high: int, symmetric: bool, x: Floats) -> None:
    dtype, out = (torch.int8, INT8) if low else (torch.uint8, UINT8)
    choose = (OPS.choose_qparams_symmetric if symmetric else OPS.choose_qparams).tensor
    x = x if symmetric else x[spans(x)]
    tensors = [torch.from_numpy(row) for row in x]
    found = [choose(t, low, high, 2.0**-23, dtype) for t in tensors]
    scale, zero = choose_qparams(x, QParamsRule("torch", low, high, symmetric), (1,))
    equal(scale, [float(s) for s, _ in found], x)
    equal(zero, [int(z) for _, z in found], x)
    quantized = [
        OPS.quantize_per_tensor.tensor(t, s, z, low, high, dtype).numpy()
        for t, (s, z) in zip(tensors, found, strict=True)
    ]
    equal(np.clip(quantize(x, scale, zero, out, "torch"), low, high), quantized, x)


@pytest.mark.peer("PyTorch", ["min_max", "choose_scale", "choose_zero_point", "quantize"])
@pytest.mark.parametrize(
    ("low", "high", "symmetric"),
    [(-128, 127, False), (0, 255, False), (0, 127, False), (-64, 63, True), (0, 255, True)],
)
@pytest.mark.parametrize("count", [100, pytest.param(20_000, marks=soak)])
def test_per_tensor(low: int, high: int, symmetric: bool, count: int) -> None:
    for x in blocks(6, count):
        per_tensor(low, high, symmetric, x)


def fbgemm(signed: bool, reduce_range: bool, x: Floats) -> None:
    out, dtype = (INT8, torch.qint8) if signed else (UINT8, torch.quint8)
    low, high = (out.min // 2, out.max // 2) if reduce_range else (out.min, out.max)
    scale, zero = choose_qparams(x, QParamsRule("fbgemm", low, high), (1,))
    tensors = [torch.from_numpy(row) for row in x]
    found = [torch.quantize_per_tensor_dynamic(t, dtype, reduce_range) for t in tensors]
    equal(scale, [F32(q.q_scale()) for q in found], x)
    equal(zero, [q.q_zero_point() for q in found], x)
    codes = [q.int_repr().numpy() for q in found]
    equal(quantize(x, scale, zero, out, "fbgemm"), codes, x)
    if not signed:
        pairs = [torch._choose_qparams_per_tensor(t, reduce_range) for t in tensors]
        equal(scale, [F32(s) for s, _ in pairs], x)
        equal(zero, [z for _, z in pairs], x)


@pytest.mark.peer("PyTorch FBGEMM", ["min_max", "choose_scale", "choose_zero_point", "quantize"])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("reduce_range", [False, True])
@pytest.mark.parametrize("count", [100, pytest.param(25_000, marks=soak)])
def test_fbgemm(signed: bool, reduce_range: bool, count: int) -> None:
    for x in blocks(7, count):
        fbgemm(signed, reduce_range, x)


def executorch(low: int, high: int, x: Floats) -> None:
    dtype, out = (torch.int8, INT8) if low else (torch.uint8, UINT8)
    scale, zero = choose_qparams(x, QParamsRule("executorch", low, high), (1,))
    made = quantize(x, scale, zero, out, "executorch")
    scales, zeros, codes = [], [], []
    for t in map(torch.from_numpy, x):
        s, z = torch.empty(1, dtype=torch.float64), torch.empty(1, dtype=torch.int64)
        given = t, low, high, 2.0**-23, dtype
        OPS.choose_qparams.Tensor_out(*given, scale_out=s, zero_point_out=z)
        q = torch.empty(t.shape, dtype=dtype)
        OPS.quantize_per_tensor.Tensor_out(t, s, z, low, high, dtype, out=q)
        scales.append(F32(s.item()))
        zeros.append(z.item())
        codes.append(q.numpy())
    equal(scale, scales, x)
    equal(zero, zeros, x)
    equal(made, codes, x)


@pytest.mark.peer("ExecuTorch", ["min_max", "choose_scale", "choose_zero_point", "quantize"])
@pytest.mark.parametrize(("low", "high"), [(-128, 127), (0, 255)])
@pytest.mark.parametrize("count", [100, pytest.param(50_000, marks=soak)])
def test_executorch(low: int, high: int, count: int) -> None:
    pytest.importorskip("executorch.kernels.quantized")  # registers operators with an out argument
    for x in blocks(9, count):
        executorch(low, high, x)
    step = np.arange(1, 41, dtype=F32)[:, None] * F32(972)
    executorch(low, high, np.concatenate([-step, step], axis=1))  # zero points that tie in float32


def told_apart(scale: np.float32, zero: int, count: int) -> tuple[Floats, npt.NDArray[Any]]:
    """Return values that one rounding and two give other codes, and those of one rounding."""
    rng = np.random.default_rng(8)
    x = ((rng.integers(-zero, 255 - zero, 100_000) + 0.5) * float(scale)).astype(F32)
    x = np.nextafter(x, rng.choice([-np.inf, 0, np.inf], x.size).astype(F32))
    once = quantize(x, scale, zero, UINT8, "fbgemm")
    other = once != quantize(x, scale, zero, UINT8, "torch-per-group")
    return x[other][:count], once[other][:count]


@pytest.mark.peer("PyTorch FBGEMM", ["quantize"])
def test_fbgemm_fuses_in_vectors_and_in_what_they_leave_over() -> None:
    scale, zero = F32(0.0371), 113
    x, codes = told_apart(scale, zero, 200)
    assert len(x) == 200
    for length in range(1, 36):
        for place in range(length):
            pick = (length * 41 + place) % 200
            row = np.zeros(length, F32)
            row[place] = x[pick]
            q = torch.quantize_per_tensor(torch.from_numpy(row), float(scale), zero, torch.quint8)
            assert int(q.int_repr()[place]) == codes[pick]


@pytest.mark.parametrize("engine", ["fbgemm"], indirect=True)
def test_exception_reduced_range_is_left_by_codes(engine: str) -> None:
    """reduce_range narrows the choice to 0..127; the quantizer saturates at 255, and 128 occurs."""
    x = np.array([[-127.0, 0.4, 127.0]], F32)
    scale, zero = choose_qparams(x, QParamsRule("fbgemm", 0, 127))
    codes = quantize(x, scale, zero, UINT8, "fbgemm")
    assert codes.max() == 128
    weight = torch.quantize_per_tensor(torch.eye(3), 1.0, 0, torch.qint8)
    packed = torch.ops.quantized.linear_prepack(weight, None)
    y = torch.ops.quantized.linear_dynamic(torch.from_numpy(x), packed, True).numpy()
    assert (y == (codes.astype(F32) - F32(zero.item())) * scale).all()


def test_exception_symmetric_unsigned_has_128() -> None:
    """choose_qparams_symmetric gives uint8 the zero point 128 of any range; ours 64 of 0..127."""
    _, zero = OPS.choose_qparams_symmetric.tensor(torch.ones(2), 0, 127, 2.0**-23, torch.uint8)
    assert int(zero) == 128
    assert QParamsRule("torch", 0, 127, True).middle == 64


def test_exception_a_block_of_one_is_the_whole_tensor() -> None:
    """torchao reduces a tensor whole where a block has one element; ours gives each its scale."""
    x = np.array([[1.0, 2.0]], F32)
    s, _ = choose_qparams_affine(torch.from_numpy(x), MappingType.SYMMETRIC, [1, 1], torch.int8)
    scale, _ = choose_qparams(x, QParamsRule("torch", symmetric=True), group=1)
    assert s.numel() == 1
    assert scale.shape == (1, 2)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_exception_torch_goes_on_where_nothing_is_defined(odd: float) -> None:
    """Of NaN and infinities torch makes an infinite or NaN scale and casts NaN; ours refuses."""
    x = np.array([odd, 1.0], F32)
    s, _ = OPS.choose_qparams.tensor(torch.from_numpy(x), -128, 127, 2.0**-23, torch.int8)
    assert not np.isfinite(float(s))
    with pytest.raises(NonFiniteError, match="must be finite"):
        choose_qparams(x)

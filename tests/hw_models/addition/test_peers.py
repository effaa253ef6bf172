"""Quantized addition against torch.ops.quantized.add and ONNX Runtime's QLinearAdd, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hw_models.add import FloatAdd, MultiplierAdd, add
from hw_models.formats import FixedFormat

# Random, equal scales, powers of two (exact ties on the whole grid), tiny and large ratios.
RNG = np.random.default_rng(0)
CASES: list[tuple[Any, ...]] = [
    (0.1, 0.037, 0.12),
    (0.05, 0.05, 0.1),
    (0.5, 0.25, 0.5),
    (0.0625, 0.125, 0.25),
    (0.0021, 0.9, 0.013),
    *[tuple(float(np.float32(s)) for s in RNG.uniform(0.001, 0.1, 3)) for _ in range(6)],
]


def grid(signed: bool) -> tuple[Any, Any]:
    codes = np.indices((256, 256)).reshape(2, -1) - (128 if signed else 0)
    a, b = codes.astype(np.int8 if signed else np.uint8)
    return a, b


def zeros(case: int, signed: bool) -> tuple[int, ...]:
    if case == 0:
        return (0, 0, 0)
    draw = np.random.default_rng(case).integers(0, 256, 3) - (128 if signed else 0)
    return tuple(int(z) for z in draw)


def torch_add(a: Any, b: Any, scales: Any, points: Any, engine: str) -> Any:
    torch = pytest.importorskip("torch")
    make, before = torch._make_per_tensor_quantized_tensor, torch.backends.quantized.engine
    pairs = [(a, scales[0], points[0]), (b, scales[1], points[1])]
    x, y = (make(torch.from_numpy(codes), scale, zero) for codes, scale, zero in pairs)
    torch.backends.quantized.engine = engine
    try:
        return torch.ops.quantized.add(x, y, scales[2], points[2]).int_repr().numpy()
    finally:
        torch.backends.quantized.engine = before


def engines() -> list[str]:
    torch = pytest.importorskip("torch")
    return [name for name in torch.backends.quantized.supported_engines if name != "none"]


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_torch(case, signed):
    a, b = grid(signed)
    points, output = zeros(case, signed), FixedFormat(8, signed)
    for engine in engines():
        whole = engine == "qnnpack" and not signed
        adder = MultiplierAdd.from_scales(*CASES[case])
        floats = FloatAdd(*CASES[case], "torch_quantized")
        theirs = torch_add(a, b, CASES[case], points, engine)
        ours = add(a, b, adder if whole else floats, *points, output)
        np.testing.assert_array_equal(ours, theirs, engine)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize("case", range(len(CASES)))
def test_torch_tails_take_the_other_order(case):
    # 31 codes are less than a vector of any width: torch computes them one by one.
    a, b = grid(True)
    adder = FloatAdd(*CASES[case], "torch_scalar")
    points = zeros(case, True)
    for start in range(0, 65536, 2111):
        part = slice(start, start + 31)
        theirs = torch_add(a[part], b[part], CASES[case], points, engines()[-1])
        np.testing.assert_array_equal(add(a[part], b[part], adder, *points), theirs)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_onnxruntime(case, signed):
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    kind = onnx.TensorProto.INT8 if signed else onnx.TensorProto.UINT8
    real, make = onnx.TensorProto.FLOAT, onnx.helper
    names = ["a", "sa", "za", "b", "sb", "zb", "so", "zo"]
    kinds = {"s": real}
    inputs = [
        make.make_tensor_value_info(n, kinds.get(n[0], kind), [None] if len(n) == 1 else [])
        for n in names
    ]
    output = make.make_tensor_value_info("y", kind, [None])
    node = make.make_node("QLinearAdd", names, ["y"], domain="com.microsoft")
    graph = make.make_graph([node], "g", inputs, [output])
    sets = [make.make_opsetid("", 18), make.make_opsetid("com.microsoft", 1)]
    model = make.make_model(graph, opset_imports=sets, ir_version=9)
    session = runtime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    a, b = grid(signed)
    points = zeros(case, signed)
    feed = {"a": a, "b": b}
    for name, scale, zero in zip(("a", "b", "o"), CASES[case], points, strict=True):
        feed |= {f"s{name}": np.array(scale, np.float32), f"z{name}": np.array(zero, a.dtype)}
    adder = FloatAdd(*CASES[case], "mlas")
    for size in (65536, 37):  # whole vectors, and a tail
        feed["a"], feed["b"] = a[:size], b[:size]
        ours = add(feed["a"], feed["b"], adder, *points, FixedFormat(8, signed))
        np.testing.assert_array_equal(ours, session.run(None, feed)[0])

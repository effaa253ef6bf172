"""ONNX Runtime's DynamicQuantizeLinear and MatMulInteger: equal codes, scales and zero points.

DynamicQuantizeLinear: choose_qparams("onnx", 0, 255); quantize("onnx")
MatMulInteger:         matmul, with zero points of a, and of b per tensor or per column
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from onnx import TensorProto, helper

from hw_models.dynamic.choose_qparams import QParamsRule, choose_qparams
from hw_models.errors import NonFiniteError
from hw_models.formats import FixedFormat
from hw_models.matmul import matmul
from hw_models.quantize import quantize
from tests.peers.drawn import F32, WIDTHS, blocks, with_infinities
from tests.peers.onnxruntime.models import codes, ends_or_any, run

UINT8 = FixedFormat(8, signed=False)
RULE = QParamsRule("onnx", 0, 255)
GOES_ON = QParamsRule("onnx", 0, 255, non_finite="propagate")
EIGHT = ["uint8", "int8"]


@cache
def _session() -> onnxruntime.InferenceSession:
    """One session: DynamicQuantizeLinear of each row, by Scan."""
    value = helper.make_tensor_value_info
    row = value("row", TensorProto.FLOAT, ["K"])
    one = helper.make_graph(
        [helper.make_node("DynamicQuantizeLinear", ["row"], ["q", "s", "z"])],
        "row",
        [row],
        [value("q", TensorProto.UINT8, ["K"]), value("s", TensorProto.FLOAT, []),
         value("z", TensorProto.UINT8, [])],
    )  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node("Scan", ["x"], ["Q", "S", "Z"], body=one, num_scan_inputs=1)],
        "rows",
        [value("x", TensorProto.FLOAT, ["N", "K"])],
        [value("Q", TensorProto.UINT8, ["N", "K"]), value("S", TensorProto.FLOAT, ["N"]),
         value("Z", TensorProto.UINT8, ["N"])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def dynamic(x: npt.NDArray[np.float32]) -> list[npt.NDArray[Any]]:
    """Return codes, scales and zero points of each row."""
    return list(_session().run(None, {"x": x}))


@pytest.mark.peer("ONNX Runtime", ["min_max", "choose_scale", "choose_zero_point", "quantize"])
@pytest.mark.parametrize("infinities", [False, True])
@pytest.mark.parametrize("count", [500, pytest.param(100_000, marks=pytest.mark.soak)])
def test_dynamic_quantize_linear(infinities: bool, count: int) -> None:
    rng = np.random.default_rng(1)
    for x in blocks(2, count, (1, *WIDTHS, 130)):
        x = with_infinities(rng, x) if infinities else x
        q, s, z = dynamic(x)
        scale, zero = choose_qparams(x, GOES_ON, (1,))
        np.testing.assert_array_equal(scale[:, 0].view(np.uint32), s.view(np.uint32))
        np.testing.assert_array_equal(zero[:, 0], z)
        made = quantize(x, scale, zero, UINT8, "onnx", non_finite="propagate")
        np.testing.assert_array_equal(made, q)
        usual = np.isfinite(s) & (s > 0) & np.isfinite(x).all(axis=1)
        scale, zero = choose_qparams(x[usual], RULE, (1,))
        np.testing.assert_array_equal(quantize(x[usual], scale, zero, UINT8, "onnx"), q[usual])
        for row in x[~usual][:5]:
            with pytest.raises(NonFiniteError):
                choose_qparams(row, RULE)


@pytest.mark.peer("ONNX Runtime", ["quantize"], dtype="uint8")
@pytest.mark.parametrize("dtype", EIGHT)
def test_quantize_linear_of_what_is_no_number(dtype: str) -> None:
    out = FixedFormat(8, signed=dtype == "int8")
    odd = np.array([np.nan, 1, -np.nan, np.inf, -np.inf, 0, 3], F32)
    for size in (1, 3, 4, 8, 17, 65):
        for scale in (F32(1), F32(np.inf), F32(0), F32(np.nan)):
            x, zero = np.resize(odd, size), np.array(7, dtype)
            actual = run("QuantizeLinear", [x, scale, zero], dtype)
            made = quantize(x, scale, zero, out, "onnx", non_finite="propagate")
            np.testing.assert_array_equal(made, actual)


def test_exception_nan_is_found_or_not_by_its_place() -> None:
    """The range of values with NaN is NaN or that of the rest, by its place; ours refuses."""
    x = np.zeros((2, 16), F32)
    x[0, 15] = x[1, 0] = np.nan
    _, s, _ = dynamic(x)
    assert np.isnan(s).tolist() == [True, False]
    for row in x:
        with pytest.raises(NonFiniteError, match="finite or infinite"):
            choose_qparams(row, GOES_ON)


@pytest.mark.peer("ONNX Runtime", ["matmul"])
@pytest.mark.parametrize("left", EIGHT)
@pytest.mark.parametrize("right", EIGHT)
@pytest.mark.parametrize("columns", [False, True])
def test_matmul_integer(left: str, right: str, columns: bool) -> None:
    rng = np.random.default_rng(2 + columns)
    for _ in range(3):
        m, k, n = (int(size) for size in rng.integers(1, 40, 3))
        a, b = codes(rng, left, (m, k)), codes(rng, right, (k, n))
        a_zero, b_zero = ends_or_any(rng, left), ends_or_any(rng, right, (n,) if columns else ())
        actual = run("MatMulInteger", [a, b, a_zero, b_zero], "int32", fed=(0, 1))
        made = matmul(a, b, int(a_zero), b_zero.astype(np.int64) if columns else int(b_zero))
        np.testing.assert_array_equal(made, actual)

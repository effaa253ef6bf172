"""MatMulNBits of ONNX Runtime: its order, on AVX-512 with VNNI, written down and compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from hw_models.compiled.instructions import NATIVE
from tests.peers.onnxruntime.nbits import by_floats, by_integers

pytestmark = pytest.mark.skipif(
    "avx512vnni" not in NATIVE, reason="other kernels serve this processor, in another order"
)
BLOCKS = (16, 32, 64, 128, 256)
SHAPES = [(1, 1, 1), (1, 7, 9), (2, 4, 3), (3, 5, 17), (7, 13, 4), (17, 33, 2)]  # rows, outputs


def session(
    codes: Any, scale: Any, zero: Any, block: int, level: int
) -> Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    """Return what ONNX Runtime computes of rows, one thread."""
    outputs, depth = codes.shape
    pairs = codes.reshape(outputs, -1, block // 2, 2).astype(np.uint8)
    points = np.zeros((outputs, (zero.shape[1] + 1) // 2), np.uint8)
    for group in range(zero.shape[1]):
        points[:, group // 2] |= zero[:, group].astype(np.uint8) << (4 * (group % 2))
    constants = {
        "b": (TensorProto.UINT8, pairs[..., 0] | pairs[..., 1] << 4),
        "scale": (TensorProto.FLOAT, scale.reshape(-1)),
        "zero": (TensorProto.UINT8, points.reshape(-1)),
    }
    node = helper.make_node(
        "MatMulNBits", ["x", *constants], ["y"], domain="com.microsoft",
        K=depth, N=outputs, bits=4, block_size=block, accuracy_level=level,
    )  # fmt: skip
    floats = TensorProto.FLOAT
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info("x", floats, [None, depth])],
        [helper.make_tensor_value_info("y", floats, [None, outputs])],
        [
            helper.make_tensor(name, kind, array.shape, array.tobytes(), raw=True)
            for name, (kind, array) in constants.items()
        ],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    made = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda x: made.run(None, {"x": x})[0]


def compare(block: int, level: int, shapes: list[tuple[int, int, int]]) -> None:
    rng = np.random.default_rng(block + level)
    for rows, outputs, count in shapes:
        codes = rng.integers(0, 16, (outputs, count * block))
        scale = rng.random((outputs, count), np.float32) + np.float32(0.1)
        zero = rng.integers(0, 16, (outputs, count))
        x = (rng.standard_normal((rows, count * block)) * 3).astype(np.float32)
        x[0, :block] = 0
        define = by_integers if level == 4 else by_floats
        ours = define(x, codes, scale, zero, block)
        theirs = session(codes, scale, zero, block, level)(x)
        # A double rounding of the definition's float64 is not excluded, but the seed has none.
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("block", BLOCKS)
def test_integers(block: int) -> None:
    compare(block, 4, SHAPES)


@pytest.mark.parametrize("level", [0, 1])
def test_floats(level: int) -> None:
    for block in BLOCKS:
        compare(block, level, SHAPES[:3])


@pytest.mark.soak
@pytest.mark.parametrize("block", BLOCKS)
def test_larger_layers(block: int) -> None:
    compare(block, 4, [(1, 96, 768 // block), (5, 131, 768 // block), (128, 64, 8)])

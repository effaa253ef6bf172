"""A max pooling with a border, as torch has it: PADV2 with the least code, then MAX_POOL_2D."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.pools.max_pool import max_pool
from tests.peers.litert.formulas import F32
from tests.peers.litert.model import PADDINGS, Model
from tests.peers.litert.run import KERNELS, run

ZERO_POINT = 7


def pooled(x: np.ndarray, border: int, kernel: int, stride: int, kernels: str) -> np.ndarray:
    """Return what LiteRT makes of images [N, H, W, C] with one more pixel of ``border`` around."""
    model, quants = Model(), ("int8", F32(0.05), ZERO_POINT)
    source = model.input(x.shape, *quants)
    sizes = np.array([(0, 0), (1, 1), (1, 1), (0, 0)], np.int32)
    wide = tuple(n + int(pair.sum()) for n, pair in zip(x.shape, sizes, strict=True))
    code = model.tensor((), *quants, data=np.array(border, np.int8))
    inputs = [source, model.constant(sizes), code]
    bordered = model.operator("PADV2", inputs, model.tensor(wide, *quants), "PadV2Options")
    high, across = ((n - kernel) // stride + 1 for n in wide[1:3])
    output = model.tensor((x.shape[0], high, across, x.shape[3]), *quants)
    fields = {"filterHeight": kernel, "filterWidth": kernel, "strideH": stride, "strideW": stride}
    fields["padding"] = PADDINGS["valid"]
    model.operator("MAX_POOL_2D", [bordered], output, "Pool2DOptions", **fields)
    results, left_over = run(model, x, kernels=kernels)
    assert kernels != "xnnpack" or left_over == {"PADV2"}
    return results[output.name]


@pytest.mark.peer(
    "LiteRT reference", ["max_pool"], ["litert-reference", "tflite", "int4"], kernels="reference"
)
@pytest.mark.peer("LiteRT optimized", ["max_pool"], ["litert-optimized"], kernels="optimized")
@pytest.mark.peer("LiteRT with XNNPACK", ["max_pool"], ["xnnpack"], kernels="xnnpack")
@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (3, 1), (2, 2)])
def test_max_pool(kernel: int, stride: int, kernels: str) -> None:
    """The border loses to every code, also where codes lie below the zero point."""
    x = np.random.default_rng(8).integers(-128, ZERO_POINT, (2, 8, 7, 19)).astype(np.int8)
    expected = max_pool(x.transpose(0, 3, 1, 2), kernel, stride, 1).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(pooled(x, -128, kernel, stride, kernels), expected)
    assert (pooled(x, ZERO_POINT, kernel, stride, kernels) != expected).any()

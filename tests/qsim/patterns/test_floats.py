"""Operators that a target with [floats] computes in float32: which, which not, and their bits."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import qsim
from qsim.golden import check, record
from qsim.network import load
from qsim.target import Target


class Operators(nn.Module):
    """Every form, and beside each what it refuses; those that refuse come last."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.plain = nn.LayerNorm(6), nn.LayerNorm(6, elementwise_affine=False)
        self.scale = nn.Parameter(torch.randn(6))
        nn.init.normal_(self.norm.bias)

    def forward(self, x: Tensor, y: Tensor) -> list[Tensor]:
        f = nn.functional
        taken = [
            x + y, x + self.scale, x + 0.1, x - y, x - 0.3, 1 - x, x * y, x * self.scale, x * 0.7,
            -x, x / 4, x**2, x**3, torch.relu(x), torch.tanh(x),
            f.softmax(x, -1), self.norm(x), self.plain(x), torch.matmul(x, y.transpose(1, 2)),
            x[:, 1:, ::2].reshape(-1, 3), x.permute(0, 2, 1).contiguous(), x[:, :, [5, 0, 0]],
            f.dropout(x, 0.5, training=False).unsqueeze(1).expand(-1, 2, 2, 6) * 1.5,
            torch.add(x, y, alpha=2),
        ]  # fmt: skip
        refused = [
            x / 3, x / y, x**4, f.gelu(x, approximate="tanh"),
            f.softmax(x, 1), torch.exp(x),
        ]  # fmt: skip
        return taken + refused


REFUSED = ["div.Tensor", "div.Tensor", "pow.Tensor_Scalar", "gelu.default",
           "softmax.int", "exp.default"]  # fmt: skip
TAKEN = 24
WHOLE = Target.load("fbgemm-dynamic-whole")


def inputs(batch: int = 3) -> tuple[Tensor, Tensor]:
    made = torch.Generator().manual_seed(0)
    return torch.randn(batch, 2, 6, generator=made), torch.randn(batch, 2, 6, generator=made)


@cache
def model() -> nn.Module:
    torch.manual_seed(0)
    return Operators().eval()


@cache
def lowered() -> qsim.Lowered:
    return qsim.lower(qsim.quantize(model(), inputs(), WHOLE))


def bits(x: Any) -> np.ndarray:
    array = x.detach().numpy() if isinstance(x, Tensor) else np.asarray(x)
    return np.ascontiguousarray(array).view(np.int32)


def test_which_operators_leave_the_host_and_why_others_stay() -> None:
    left = [item.operator.removeprefix("aten.") for item in lowered().host_operators]
    assert sorted(left) == sorted(REFUSED)
    reasons = {
        item.operator.removeprefix("aten."): str(item.reason) for item in lowered().host_operators
    }
    assert "last dimension" in reasons["softmax.int"]
    assert "power of two" in reasons["div.Tensor"]
    assert "exponent is 4" in reasons["pow.Tensor_Scalar"]
    assert "inside the library" in reasons["gelu.default"]


def test_every_bit_is_torchs() -> None:
    """Of all but tanh, which is rounded correctly here; on vectors of AVX-512."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        pytest.skip("ATen's softmax has other lanes on this processor")
    for batch in (3, 1):
        x = inputs(batch)
        wanted, made = model()(*x), lowered()(*(t.numpy() for t in x))
        for number, (ours, theirs) in enumerate(zip(made[:TAKEN], wanted[:TAKEN], strict=True)):
            tanh = number == 14
            assert np.abs(bits(ours).astype(np.int64) - bits(theirs)).max() <= tanh, number


def test_stream_samples_files_and_empty_batches(tmp_path: Path) -> None:
    arrays = tuple(t.numpy() for t in inputs())
    made = lowered()(*arrays)
    lowered().save(tmp_path / "net.qsim")
    for other in (lowered().trace(*arrays).outputs, load(tmp_path / "net.qsim")(*arrays)):
        assert all(np.array_equal(bits(a), bits(b)) for a, b in zip(made, other, strict=True))
    for sample in range(3):
        alone = lowered()(*(array[sample : sample + 1] for array in arrays))
        for one, all_of_them in zip(alone[:TAKEN], made[:TAKEN], strict=True):
            rows = len(all_of_them) // 3
            part = all_of_them[sample * rows : (sample + 1) * rows]
            assert np.array_equal(bits(one), bits(part))
    assert [len(y) for y in lowered()(*(array[:0] for array in arrays))] == [0] * len(made)


def test_golden_sets(tmp_path: Path) -> None:
    """Numbers and parameters among the operands are float32 too."""
    record(lowered(), inputs(), tmp_path / "set")
    assert check(tmp_path / "set").ok


def test_a_configuration_keeps_operators_on_the_host() -> None:
    config = {"operators": {"softmax": {"skip": True}}}
    network = qsim.lower(qsim.quantize(model(), inputs(), WHOLE, config=config))
    left = [item for item in network.host_operators if item.operator == "aten.softmax.int"]
    assert [item.kind for item in left] == ["config", "config"]


def test_products_of_two_activations_are_quantized_where_the_target_says_so() -> None:
    class Product(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return torch.matmul(x, y.transpose(1, 2))

    x = inputs()
    target = Target.load("onnxruntime-dynamic-whole")
    quantized = qsim.quantize(Product(), x, target)
    network = qsim.lower(quantized)
    (program,) = network.programs
    chain = ["min_max", "choose_scale", "choose_zero_point", "quantize"]
    end = ["dynamic_matmul", "float_mul", "dequantize"]
    assert [call.primitive for call in program.calls] == ["permute", *chain, *chain, *end]
    made = network(*(t.numpy() for t in x))
    assert np.abs(made - quantized(*x).numpy()).max() < 1e-5
    assert np.abs(made - Product()(*x).numpy()).max() < 0.1
    assert len(program.mixing) == 2
    # PyTorch leaves them float.
    (program,) = qsim.lower(qsim.quantize(Product(), x, WHOLE)).programs
    assert [call.primitive for call in program.calls] == ["permute", "float_matmul"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dynamic": None}, "stands without \\[dynamic\\]"),
        ({"granularity": "token"}, "a scale per token"),
        ({"primitives": "float_softmax"}, "has no 'float_softmax'"),
    ],
)
def test_a_target_that_contradicts_itself(change: dict[str, Any], message: str) -> None:
    document = Target.load("onnxruntime-dynamic-whole").to_dict()
    if "dynamic" in change:
        del document["dynamic"]
    elif "granularity" in change:
        document["dynamic"] |= change
    else:
        document["primitives"]["available"].remove(change["primitives"])
    with pytest.raises(qsim.TargetError, match=message):
        Target.from_dict(document)

"""Attention becomes products, a mask and softmax in one Program, and computes what torch does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own name for it
from torch import nn

import qsim
from qsim.graph import capture, quiet
from qsim.quantizer.functionalizing import simple_graph
from tests.qsim.quantizer.graphs import Fn

TFLITE = qsim.Target.load("tflite")
CAUSAL = torch.ones(5, 5, dtype=torch.bool).tril()
ADDED = torch.zeros(5, 5).masked_fill(~CAUSAL, float("-inf"))


@pytest.fixture(autouse=True)
def _seeded() -> Any:
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def heads(x: torch.Tensor, count: int) -> torch.Tensor:
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


def attention(**options: Any) -> Callable[[], nn.Module]:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        shared = 1 if options.get("enable_gqa") else 2
        k, v = heads(x[..., : 4 * shared], shared), heads(x[..., -4 * shared :], shared)
        made = F.scaled_dot_product_attention(heads(x, 2), k, v, **options)
        return made.transpose(1, 2).flatten(2)

    return lambda: Fn(forward).eval()


def multihead(**options: Any) -> Callable[[], nn.Module]:
    own = {"batch_first": True, **options.pop("own", {})}

    def forward(self: Any, x: torch.Tensor) -> Any:
        return self.inner(x, x, x, **options)

    return lambda: Fn(forward, inner=nn.MultiheadAttention(8, 2, **own)).eval()


def functional(self: Any, x: torch.Tensor) -> torch.Tensor:
    y, m = x.transpose(0, 1), self.inner
    made, _ = F.multi_head_attention_forward(
        y, y, y, 8, 2, m.in_proj_weight, m.in_proj_bias, None, None, False, 0.0,
        m.out_proj.weight, m.out_proj.bias, training=False, attn_mask=~CAUSAL,
    )  # fmt: skip
    return made.transpose(0, 1)  # type: ignore[no-any-return]


CASES: dict[str, Callable[[], nn.Module]] = {
    "plain": attention(),
    "scale": attention(scale=0.3),
    "causal": attention(is_causal=True),
    "bools": attention(attn_mask=CAUSAL),
    "added": attention(attn_mask=ADDED),
    "a bias": attention(attn_mask=torch.linspace(-1, 1, 25).reshape(5, 5)),
    "shared keys": attention(enable_gqa=True),
    "shared keys, causal": attention(enable_gqa=True, is_causal=True),
    "multihead": multihead(need_weights=False),
    "multihead, weights of each": multihead(average_attn_weights=False),
    "multihead, masked": multihead(need_weights=False, attn_mask=~CAUSAL),
    "multihead, masked, weights": multihead(attn_mask=ADDED),
    "multihead, odd keys": multihead(own={"kdim": 8, "vdim": 8, "bias": False}),
    "functional": lambda: Fn(functional, inner=nn.MultiheadAttention(8, 2)).eval(),
    "encoder": lambda: nn.TransformerEncoderLayer(8, 2, 8, batch_first=True).eval(),
}


def first(outputs: Any) -> torch.Tensor:
    return outputs[0] if isinstance(outputs, tuple) else outputs


@pytest.mark.parametrize("case", CASES)
def test_the_parts_of_attention_equal_attention(case: str) -> None:
    model, x = CASES[case](), torch.randn(3, 5, 8)
    captured = capture(model, (x,))
    assert captured.batch, captured.fixed
    with quiet():
        graph = simple_graph(captured.program, TFLITE)[0]
    names = {str(node.target) for node in graph.graph.nodes if node.op == "call_function"}
    assert not {n for n in names if "attention" in n or "baddbmm" in n}
    for size in (1, 3, 4):
        y = torch.randn(size, 5, 8)
        torch.testing.assert_close(first(graph(y)), first(model(y)), atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("case", ["shared keys, causal", "multihead, masked, weights"])
def test_attention_is_one_program_with_its_mask(case: str) -> None:
    model, x = CASES[case](), torch.randn(8, 5, 8)
    lowered = qsim.lower(qsim.quantize(model, (x,), TFLITE))
    calls = [call.primitive for program in lowered.programs for call in program.calls]
    assert calls.count("matmul") == 2
    assert calls.count("softmax") == 1
    assert not [h for h in lowered.host_operators if "softmax" in h.operator]
    right, found = first(model(x)), first(lowered(x))
    assert (right - found).pow(2).mean() < 0.01 * right.pow(2).mean()


def test_what_is_hidden_has_no_weight_at_all() -> None:
    model = multihead(attn_mask=~CAUSAL, average_attn_weights=False)()
    x = 4 * torch.randn(8, 5, 8)
    _, weights = qsim.lower(qsim.quantize(model, (x,), TFLITE))(x)
    assert not weights.masked_select(~CAUSAL).any()
    assert (weights.sum(-1) - 1).abs().max() < 0.05


def test_a_mask_of_run_time_stays_in_torch_and_products_do_not() -> None:
    class Padded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
            return self.inner(x, x, x, hidden, need_weights=False)[0]  # type: ignore[no-any-return]

    model = Padded().eval()
    given = (torch.randn(3, 5, 8), torch.tensor([[0, 0, 0, 1, 1], [0] * 5, [0, 0, 0, 0, 1]]).bool())
    lowered = qsim.lower(qsim.quantize(model, given, TFLITE))
    host = {each.operator for each in lowered.host_operators}
    assert "aten._safe_softmax.default" in host
    (last,) = (each for each in lowered.host_operators if "_safe_softmax" in each.operator)
    assert last.kind == "operand"
    assert "aten.matmul.default" not in host
    right = model(*given)
    assert (right - lowered(*given)).pow(2).mean() < 0.01 * right.pow(2).mean()


def test_a_target_without_softmax_keeps_attention_whole() -> None:
    document = TFLITE.to_dict()
    document["primitives"]["available"].remove("softmax")
    target, x = qsim.Target.from_dict(document), torch.randn(3, 5, 8)
    found = qsim.lower(qsim.quantize(CASES["plain"](), (x,), target)).host_operators
    (whole,) = (each for each in found if "scaled_dot_product" in each.operator)
    assert (whole.kind, whole.lacks) == ("target", "softmax")
    assert whole.reason == f"target {target.name} has no softmax"

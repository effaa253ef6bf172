"""Attention under a run-time mask as one delegate: the codes of the lowered network."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from torch import Tensor, nn

import qsim

pytest.importorskip("executorch")

from qsim.executorch import Pte, to_edge

UNITS = qsim.Target.load("integer-transformer")


class Twice(nn.Module):
    """Two layers of two heads that read one mask, a causal one inside; heads are put together."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        shown = mask[:, None, None, :].bool() & torch.ones(5, 5, dtype=torch.bool).tril()
        for layer in self.layers:
            q = layer(x).view(-1, 5, 2, 2).transpose(1, 2)
            y = nn.functional.scaled_dot_product_attention(q, q, q, shown)
            x = y.transpose(1, 2).reshape(-1, 5, 4)
        return x


def test_masked_attention_is_one_delegate() -> None:
    x = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]])
    quantized = qsim.quantize(Twice().eval(), (x, mask), UNITS)
    lowered = qsim.lower(quantized)
    edge = to_edge(quantized, max_batch=3, whole=True)
    (region,) = edge.report.regions
    assert region.operators.count("aten._safe_softmax.default") == 2
    assert edge.report.host == []
    pte = Pte(edge.to_pte())
    for batch in (3, 1):
        given = x[:batch], mask[:batch]
        assert torch.equal(edge(*given), lowered(*given))
        assert torch.equal(pte(*given), lowered(*given))


@pytest.mark.soak
@pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)
@pytest.mark.parametrize("case", ["BertModel", "GPT2LMHeadModel", "LlamaForCausalLM"])
def test_a_transformer_with_a_padding_mask_is_one_delegate(case: str) -> None:
    from tests.qsim.zoo.networks import module, samples

    words, mask = samples(case, 2)[0], torch.ones(2, 8, dtype=torch.int64)
    mask[1, -3:] = 0
    given = {"input_ids": words, "attention_mask": mask}
    quantized = qsim.quantize(module(case), given, UNITS)
    edge = to_edge(quantized, whole=True)
    found = Pte(edge.to_pte())(*given.values())
    wanted = qsim.lower(quantized)(**given).values()
    several = found if isinstance(found, tuple) else (found,)
    assert all(torch.equal(*pair) for pair in zip(several, wanted, strict=True))

"""What every sample has alike is a constant: positions, causal masks; and what is not stays."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

import qsim
from qsim import Target


class Causal(nn.Module):
    """Attention whose mask is counted for as many samples as there are, as transformers do."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.qkv = nn.Linear(4, 12)

    def forward(self, x: Tensor) -> Tensor:
        many, length, _ = x.shape
        places = torch.arange(length).expand(many, -1)
        seen = places[:, None, :, None] >= places[:, None, None, :]
        sample = torch.arange(many)[:, None, None, None]
        mask = seen & (places[sample, torch.zeros(1, dtype=torch.int64)] == 0)
        q, k, v = self.qkv(x)[:, None].chunk(3, -1)
        y = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return y[:, 0] + torch.ones_like(x)


class Numbered(nn.Module):
    """Each sample has its own number: nothing that they have alike."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x) + torch.arange(x.shape[0])[:, None]


def test_a_causal_mask_of_every_sample_is_one_constant() -> None:
    model, x = Causal().eval(), torch.linspace(-1, 1, 40).reshape(2, 5, 4)
    quantized = qsim.quantize(model, (x,), Target.load("tflite"))
    network = qsim.lower(quantized)
    assert network.host_operators == ()
    more = torch.cat([x, x.flip(0), x], 0)
    with torch.no_grad():
        assert float((network(more) - model(more)).abs().max()) < 0.1
    singles = torch.cat([network(more[i : i + 1]) for i in range(len(more))])
    assert torch.equal(network(more), singles)
    np.testing.assert_array_equal(network.trace(more).outputs[0], network(more))


def test_what_differs_from_sample_to_sample_stays() -> None:
    x = torch.linspace(-1, 1, 6).reshape(3, 2)
    network = qsim.lower(qsim.quantize(Numbered().eval(), (x,), Target.load("tflite")))
    assert network.host_operators
    made = network(torch.ones(4, 2))
    assert float((made[3, 0] - made[0, 0] - 3).abs()) < 0.1

"""Sequences of any length within bounds through a ``.pte``: the same codes."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

import qsim
from tests.qsim.states.decoder import TARGET

pytest.importorskip("executorch")

from qsim.executorch import EdgeProgram, Pte, export, to_edge


class Padded(nn.Module):
    """Attention under a padding mask, and a vector for each sample."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.q, self.k = nn.Embedding(9, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, words: Tensor, mask: Tensor) -> dict[str, Tensor]:
        x = self.words(words)
        shown = mask[:, None, :].bool()
        y = nn.functional.scaled_dot_product_attention(self.q(x), self.k(x), x, shown)
        return {"all": y, "first": y[:, 0]}


@cache
def padded() -> qsim.Quantized:
    words = torch.arange(8).reshape(2, 4)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    lengths = {name: {1: Dim("length", min=1, max=4)} for name in ("words", "mask")}
    return qsim.quantize(Padded().eval(), (words, mask), TARGET, lengths=lengths)


@cache
def program() -> EdgeProgram:
    return to_edge(padded(), max_batch=3)


def test_every_length_and_batch_is_that_of_the_lowered_network() -> None:
    lowered, edge = qsim.lower(padded()), program()
    pte = Pte(edge.to_pte())
    # The plan has room for the bounds, no more.
    assert [spec.sizes for spec in (*pte.inputs, *pte.outputs)] == [
        (3, 4),
        (3, 4),
        (3, 4, 4),
        (3, 4),
    ]
    drawn = torch.Generator().manual_seed(1)
    for batch, length in ((1, 1), (3, 4), (2, 3), (1, 4), (3, 1)):
        words = torch.randint(9, (batch, length), generator=drawn)
        mask = torch.randint(2, (batch, length), generator=drawn)
        wanted = lowered(words, mask)
        found, through = edge(words, mask), pte(words, mask)
        for at, (name, value) in enumerate(wanted.items()):
            assert torch.equal(found[name], value)
            assert torch.equal(through[at], value)


@pytest.mark.parametrize(
    ("length", "line"),
    [(0, "an empty sequence in dimension 1"), (5, "length 5 in dimension 1"), (13, r"\[1, 13\]")],
)
def test_a_length_beyond_the_bounds_is_one_line(length: int, line: str) -> None:
    given = torch.zeros((2, 1, length), dtype=torch.int64)
    with pytest.raises(qsim.InputError, match=line) as caught:
        Pte(program().to_pte())(*given)
    assert "accepted: " in str(caught.value)
    with pytest.raises(qsim.InputError, match=r"accepted: \(1\.\.3, 1\.\.4\)"):
        program()(*given)


def test_what_needs_one_length_says_so() -> None:
    with pytest.raises(qsim.UsageError, match=r"quantized\.at\(LENGTH\)"):
        export(padded())
    with pytest.raises(qsim.UsageError, match="takes and returns what the model does"):
        to_edge(padded(), quantized_io=True)
    words, mask = padded().example_inputs
    elsewhere = qsim.quantize(
        Padded().eval(),
        (words, mask),
        qsim.Target.load("tflite"),
        lengths={name: {1: (2, 4)} for name in ("words", "mask")},
    )
    with pytest.raises(qsim.ModelError, match=r"is one delegate, and .* stay outside of it: aten"):
        to_edge(elsewhere)

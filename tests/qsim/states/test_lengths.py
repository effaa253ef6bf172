"""States and lengths together: a prompt at once, then token by token, in one session."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch.export import Dim

import qsim
from tests.qsim.states.decoder import TARGET, WORDS, Counting, module, tokens

if TYPE_CHECKING:
    from pathlib import Path

    from qsim.network import Lowered
    from qsim.quantizer import Quantized

LENGTH, MOST = 8, 4
FED = tokens(LENGTH)


def step(at: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    return FED[:, at : at + count], torch.arange(at, at + count)


@cache
def quantized() -> tuple[Quantized, bool]:
    """The decoder, and whether the model's buffers are what they were."""
    model = module(LENGTH)
    length = Dim("length", min=1, max=MOST)
    steps = [step(0, 3), step(3, 1), step(4, 4)]
    lengths = {"tokens": {1: length}, "at": {0: length}}
    found = qsim.quantize(model, steps[0], TARGET, steps, lengths=lengths)
    return found, not any(bool(b.any()) for b in model.buffers())


@cache
def made() -> tuple[Lowered, bool]:
    found, unwritten = quantized()
    return qsim.lower(found), unwritten


def run(network: Lowered, *counts: int) -> tuple[Any, Any, int]:
    session, rows, at = network.session(), [], 0
    for count in counts:
        rows.append(np.asarray(session(*step(at, count))))
        at += count
    return np.concatenate(rows, 1), session.states, session.steps


def test_a_prompt_at_once_is_its_tokens_one_by_one(tmp_path: Path) -> None:
    network, unwritten = made()
    assert unwritten
    assert network.host_operators == ()
    assert all(np.unique(state.initial).size == 1 for state in network.states)  # zeros
    singles, states, steps = run(network, *[1] * LENGTH)
    assert steps == LENGTH
    network.save(tmp_path / "net.qsim")
    loaded = qsim.load(tmp_path / "net.qsim")
    assert loaded.digest == network.digest
    for each, counts in (
        (network, (3, *[1] * 5)),
        (network, (4, 4)),
        (network, (1, 3, 2, 2)),
        (loaded, (3, *[1] * 5)),
    ):
        found, held, steps = run(each, *counts)
        np.testing.assert_array_equal(found, singles)
        assert all(np.array_equal(held[name], states[name]) for name in states)
        assert steps == LENGTH
    session = loaded.session()
    traced = session.trace(*step(0, 3))
    np.testing.assert_array_equal(traced.outputs[0], singles[:, :3])
    assert session.steps == 3


def test_text_goes_on_after_a_prompt_at_once() -> None:
    network, _ = made()
    for prompt in ([3, 7], FED[0, :5].tolist()):  # in one step, in two
        session = network.session()
        text = session.generate(prompt, 3)
        assert session.steps == len(prompt) + 2
        fed, singles = list(prompt), network.session()
        for at in range(len(prompt) + 2):
            token = torch.tensor([[fed[at]]])
            scores = np.asarray(singles(token, torch.tensor([at])))
            if at >= len(prompt) - 1:
                fed.append(int(scores.argmax()))
        assert fed[len(prompt) :] == text
        assert all(0 <= token < WORDS for token in text)


def test_a_prompt_at_once_then_token_by_token_through_a_pte() -> None:
    pytest.importorskip("executorch")
    from qsim.executorch import Pte, to_edge

    edge = to_edge(quantized()[0])
    assert (len(edge.report.regions), edge.report.host) == (1, [])
    pte, session = Pte(edge.to_pte()), made()[0].session()
    for counts in ((3, 1, 1, 1, 1, 1), (4, 4), (1, 3, 2, 2)):
        pte.reset()
        session.reset()
        at = 0
        for count in counts:
            assert torch.equal(pte(*step(at, count)), session(*step(at, count)))
            at += count
    pte.reset()
    scores, text = pte(torch.tensor([[3, 7, 1]]), torch.arange(3)), []
    for at in range(3, 7):
        text.append(int(scores[0, -1].argmax()))
        scores = pte(torch.tensor([[text[-1]]]), torch.tensor([at]))
    assert text == made()[0].session().generate([3, 7, 1], 4)


@pytest.mark.parametrize("given", ["all", "first"])
def test_positions_that_are_counted_from_the_first(given: str, tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = Counting(LENGTH).eval()
    length = Dim("length", min=1, max=MOST)
    lengths: dict[str, Any] = {"tokens": {1: length}}
    if given == "all":
        lengths["at"] = {0: length}

    def fed(at: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        words, places = step(at, count)
        return words, places if given == "all" else places[:1]

    steps = [fed(0, 3), fed(3, 1), fed(4, 4)]
    network = qsim.lower(qsim.quantize(model, steps[0], TARGET, steps, lengths=lengths))
    assert {(each.operator, each.kind) for each in network.host_operators} == {
        ("aten.select.int", "integers"),
        ("aten.add.Tensor", "integers"),
    }
    network.save(tmp_path / "net.qsim")
    rows, states = {}, {}
    for name, each in (("made", network), ("loaded", qsim.load(tmp_path / "net.qsim"))):
        for counts in ((1,) * LENGTH, (4, 4), (1, 3, 2, 2)):
            session, at, found = each.session(), 0, []
            for count in counts:
                found.append(np.asarray(session(*fed(at, count))))
                at += count
            rows[name, counts] = np.concatenate(found, 1)
            states[name, counts] = session.states
    singles, held = rows["made", (1,) * LENGTH], states["made", (1,) * LENGTH]
    assert all(np.array_equal(found, singles) for found in rows.values())
    assert all(np.array_equal(s[k], held[k]) for s in states.values() for k in held)
    plain, _ = made()  # the same network, told every position
    np.testing.assert_array_equal(run(plain, *[1] * LENGTH)[0], singles)


@pytest.mark.parametrize(
    ("tokens_", "places", "line"),
    [
        (4, 4, "an index must be a row of the table, not 8 at index (2,) (accepted: 0..7)"),
        (0, 0, "input 'tokens': an empty sequence in dimension 1 (accepted: lengths 1 to 4)"),
        (5, 5, "input 'tokens': a sequence of length 5 in dimension 1 (accepted: lengths 1 to 4)"),
        (2, 3, "input 'at': a sequence of length 3 beside one of 2 in input 'tokens'"),
    ],
)
def test_a_step_that_is_refused_leaves_the_states(tokens_: int, places: int, line: str) -> None:
    session = made()[0].session()
    session(*step(0, 4))
    session(*step(4, 2))
    before = session.states
    given = torch.zeros((1, tokens_), dtype=torch.int64), torch.arange(6, 6 + places)
    with pytest.raises(qsim.InputError, match=re.escape(line)):
        session(*given)
    assert session.steps == 6
    assert all(np.array_equal(before[name], held) for name, held in session.states.items())
    with pytest.raises(qsim.InputError, match=r"must be \[1, 2\], not \[2, 2\]"):
        session(torch.zeros((2, 2), dtype=torch.int64), torch.arange(6, 8))
    with pytest.raises(qsim.UsageError, match="fixes the batch of its states"):
        made()[0].session(batch=2)

"""Text token by token: from Python, from a file in a fresh process, and through a .pte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import qsim
from qsim.golden import record
from tests import fresh
from tests.qsim.states.decoder import (
    LENGTH,
    STYLES,
    TARGET,
    WORDS,
    lowered,
    module,
    one_by_one,
    quantized,
    tokens,
)

if TYPE_CHECKING:
    from pathlib import Path

PROMPT, COUNT = [3, 7], 64


def test_a_decoder_is_one_program_without_host_operators() -> None:
    network = lowered()
    assert network.host_operators == ()
    (program,) = network.programs
    made = [call.primitive for call in program.calls]
    assert (made.count("cache_write"), made.count("embedding")) == (2, 3)  # words, places, mask
    assert [state.name for state in network.states] == ["block.keys", "block.values"]
    assert {state.value.dtype for state in network.states} == {"int8"}
    # A step writes where the cache lies.
    instead = program.allocate().homes.instead
    assert all(instead.get(after) == before for before, after in program.states)


def test_the_same_tokens_from_python_and_from_a_file_without_torch(tmp_path: Path) -> None:
    session = lowered().session()
    made = session.generate(PROMPT, COUNT)
    assert len(made) == COUNT
    assert len(set(made)) > 3
    assert session.steps == len(PROMPT) + COUNT - 1
    session.reset()
    traced = [int(np.argmax(session.trace(*_step(token, at)).outputs[0]))
              for at, token in enumerate([*PROMPT, *made][:12])]  # fmt: skip
    assert traced[1:] == made[:11]
    lowered().save(tmp_path / "decoder.qsim")
    code = (
        "import json, sys, qsim\n"
        f"made = qsim.load(sys.argv[1]).session().generate({PROMPT}, {COUNT})\n"
        "print(json.dumps([made, 'torch' in sys.modules]))"
    )
    found = fresh.run(code, str(tmp_path / "decoder.qsim"))
    assert json.loads(found.stdout) == [made, False]


def _step(token: int, at: int) -> tuple[Any, Any]:
    return np.array([[token]]), np.array([at])


def test_the_same_tokens_through_a_pte() -> None:
    pytest.importorskip("executorch")
    from qsim.executorch import Pte, to_edge

    program = Pte(to_edge(quantized()).to_pte())
    wanted = lowered().session().generate(PROMPT, COUNT)
    for count in (COUNT, 3):  # after a reset once more
        fed, made = list(PROMPT), []
        for at in range(len(PROMPT) + count - 1):
            scores = program(torch.tensor([[fed[at]]]), torch.tensor([at]))
            if at >= len(PROMPT) - 1:
                made.append(int(scores.argmax()))
                fed.append(made[-1])
        assert made == wanted[:count]
        program.reset()


def test_a_step_is_what_the_graphs_compute_with_their_states() -> None:
    network, floats = quantized(), module(LENGTH)
    session, held = lowered().session(), [state.initial for state in network.states]
    scale = lowered().states[0].value
    for words, at in one_by_one(20):
        made = session(words, at)
        right, *held = network.graph(words, at, *held)
        with torch.no_grad():
            real = floats(words, at)
        assert (made - right).abs().max() <= 0.03
        assert (made - real).abs().max() <= 0.15
    codes = session.states["block.keys"].astype(np.float64)
    error = np.abs((codes - scale.zero_point) * scale.scale - held[0].numpy())
    assert error.max() <= scale.scale * 1.01


@pytest.mark.parametrize(
    "style", [STYLES[0], *(pytest.param(style, marks=pytest.mark.soak) for style in STYLES[1:])]
)
def test_one_by_one_is_all_at_once(style: str) -> None:
    """Two captures whose calibration has the same values, and so the same scales."""
    words, count = tokens(5), 5
    steps = one_by_one(count)
    # Twice: then the scores of each step see what the cache holds behind it, as those of all do.
    all_at_once = qsim.quantize(
        module(7, style), (words, torch.arange(count)), TARGET, [(words, torch.arange(count))] * 2
    )
    first, then = (
        qsim.lower(all_at_once),
        qsim.lower(qsim.quantize(module(7, style), steps[0], TARGET, steps * 2)),
    )
    assert first.host_operators == then.host_operators == ()
    assert [s.value.scale for s in first.states] == [s.value.scale for s in then.states]
    prefill, decode = first.session(), then.session()
    whole = prefill(words, torch.arange(count))
    parts = torch.cat([decode(*step) for step in steps], 1)
    assert torch.equal(whole, parts)
    for name, held in prefill.states.items():
        np.testing.assert_array_equal(held, decode.states[name])
    other = then.session()
    other.restore(prefill.states, steps=count)
    assert other.generate([1], 2) == decode.generate([1], 2)


def test_a_full_cache_and_a_position_outside_are_refused() -> None:
    session = lowered().session()
    for at, text in (
        (LENGTH, rf"not {LENGTH}.*accepted: 0\.\.{LENGTH - 1}"),
        (-1, r"not -1.*accepted: 0\.\."),
    ):
        with pytest.raises(qsim.InputError, match=text) as caught:
            session(*_step(1, at))
        assert "\n" not in str(caught.value)
    assert session.steps == 0
    with pytest.raises(qsim.InputError, match=rf"not {LENGTH}"):
        session.generate(PROMPT, LENGTH)
    with pytest.raises(qsim.InputError, match=r"shape must be \[1, 1\], not \[2, 1\]"):
        session(np.array([[1], [2]]), np.array([0]))


@pytest.mark.parametrize("token", [WORDS, -1])
def test_a_token_outside_of_the_vocabulary_leaves_the_states(token: int) -> None:
    session = lowered().session()
    session(*_step(1, 0))
    held = {name: np.array(value) for name, value in session.states.items()}
    said = set()
    for step in (session, session.trace):
        with pytest.raises(
            qsim.InputError, match=rf"'words'.* not {token} .*0\.\.{WORDS - 1}\)"
        ) as caught:
            step(*_step(token, 1))
        said.add(str(caught.value))
    assert len(said) == session.steps == 1
    for name, value in session.states.items():
        np.testing.assert_array_equal(value, held[name])


def test_every_call_of_a_step_agrees_on_rtl(tmp_path: Path) -> None:
    session = lowered().session()
    for step in one_by_one(20):
        session(*step)
    made = record(session, one_by_one(21)[20], tmp_path / "step")
    written = [case for case in made.cases if case.primitive == "cache_write"]
    assert [case.operands["positions"].tolist() for case in written] == [[20], [20]]
    assert all(case.operands["cache"][..., 19, :].any() for case in written)
    report = qsim.cosim.run(tmp_path / "step", simulator="icarus")
    assert report.ok
    assert {call.primitive for call in report.calls} >= {"embedding", "cache_write", "softmax"}
    assert sum(call.elements for call in report.calls) > 1000
    assert {each.primitive for each in report.skipped} <= {"reshape"}

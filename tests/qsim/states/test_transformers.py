"""transformers' static caches, wrapped as its own recipe for ExecuTorch wraps them."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import qsim
from qsim.golden import record
from tests.qsim.states.decoder import TARGET

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(
        importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
    ),
]
LENGTH = 12


def model(name: str) -> Any:
    import transformers

    if name == "llama":
        config: Any = transformers.LlamaConfig(
            vocab_size=24, hidden_size=16, intermediate_size=24, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64,
        )  # fmt: skip
        return transformers.LlamaForCausalLM(config)
    config = transformers.GPT2Config(
        vocab_size=24, n_embd=16, n_layer=1, n_head=2, n_positions=64, bos_token_id=0,
        eos_token_id=0,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config)


class Step(nn.Module):
    """One token at a position, by position."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, tokens: torch.Tensor, at: torch.Tensor) -> Any:
        return self.inner(input_ids=tokens, cache_position=at)


@cache
def stepping(name: str) -> Step:
    """Return a model with a static cache."""
    from transformers import GenerationConfig
    from transformers.integrations.executorch import TorchExportableModuleWithStaticCache

    torch.manual_seed(0)
    inner = model(name).eval()
    inner.generation_config = GenerationConfig(
        use_cache=True,
        cache_implementation="static",
        cache_config={"batch_size": 1, "max_cache_len": LENGTH},
    )
    return Step(TorchExportableModuleWithStaticCache(inner)).eval()


@cache
def quantized_of(name: str) -> tuple[Any, Any, list[Any]]:
    """Return a model of one token a step, its quantization, and its steps."""
    module = stepping(name)
    tokens = torch.randint(0, 24, (LENGTH,), generator=torch.Generator().manual_seed(1))
    steps = [(tokens[at].reshape(1, 1), torch.tensor([at])) for at in range(LENGTH)]
    return module, qsim.quantize(module, steps[0], TARGET, steps), steps


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_a_static_cache_is_states(name: str) -> None:
    module, quantized, steps = quantized_of(name)
    lowered = qsim.lower(quantized)
    assert lowered.host_operators == ()
    assert [(s.name, s.value.dtype) for s in lowered.states] == [
        ("inner.key_cache_0", "int8"),
        ("inner.value_cache_0", "int8"),
    ]
    session, held = lowered.session(), [state.initial for state in quantized.states]
    exact = list(held)
    for tokens_, at in steps:
        made = session(tokens_, at)
        right, *held = quantized.graph(tokens_, at, *held)
        real, *exact = quantized.float_graph(tokens_, at, *exact)
        with torch.no_grad():
            wanted = module(tokens_, at)
        assert (made - right).abs().max() <= 0.1 * right.abs().max()
        torch.testing.assert_close(real, wanted, rtol=1e-3, atol=1e-4)
    session.reset()
    assert len(session.generate([1], LENGTH - 1)) == LENGTH - 1
    with pytest.raises(qsim.InputError, match=rf"not {LENGTH}"):
        session.generate([2], 2)


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_a_prompt_at_once_is_its_tokens_one_by_one(name: str, tmp_path: Path) -> None:
    words = torch.randint(0, 24, (1, LENGTH), generator=torch.Generator().manual_seed(1))

    def step(at: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        return words[:, at : at + count], torch.arange(at, at + count)

    length = torch.export.Dim("length", min=1, max=4)
    steps = [step(0, 4), step(4, 1), step(5, 3), step(8, 4)]
    lengths = {"tokens": {1: length}, "at": {0: length}}
    network = qsim.lower(qsim.quantize(stepping(name), steps[0], TARGET, steps, lengths=lengths))
    assert {each.kind for each in network.host_operators} == {"integers"}  # positions are counted
    network.save(tmp_path / "net.qsim")
    loaded = qsim.load(tmp_path / "net.qsim")
    found = []
    for each, counts in (
        (network, (1,) * LENGTH), (network, (4, 4, 4)), (network, (3, *[1] * 5, 4)),
        (loaded, (2, 3, 4, 1, 2)),
    ):  # fmt: skip
        session, at, rows = each.session(), 0, []
        for count in counts:
            rows.append(session(*step(at, count)))
            at += count
        found.append((torch.cat(rows, 1), session.states))
    singles, states = found[0]
    for made, held in found[1:]:
        assert torch.equal(made, singles)
        assert all((held[name] == states[name]).all() for name in states)
    text = network.session().generate([1, 2, 3, 4, 5], 7)
    assert loaded.session().generate([1, 2, 3, 4, 5], 7) == text


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_every_call_of_a_step_agrees_on_rtl(name: str, simulator: str, tmp_path: Path) -> None:
    _, quantized, steps = quantized_of(name)
    session = qsim.lower(quantized).session()
    for step in steps[:6]:
        session(*step)
    record(session, steps[6], tmp_path / "step")
    report = qsim.cosim.run(tmp_path / "step", simulator=simulator)
    assert report.ok
    assert {each.primitive for each in report.skipped} == {"reshape"}

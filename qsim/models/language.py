"""``bert-tiny``, ``gpt2-tiny`` and ``llama-tiny``: small transformers with seeded weights.

The networks are those of the package transformers (the extra of that name): BertModel, and GPT-2
and Llama as language models, each from a configuration of two blocks. They read 32 token numbers.

Sources of the shapes: bert-tiny is BERT-Tiny of Turc et al., "Well-Read Students Learn Better"
(arXiv 1908.08962), with fewer words; the two others are as wide and as deep. Llama's queries share
keys and values in pairs, and its inner width is 8/3 of its width, as in the large ones.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.errors import MissingToolError
from qsim.models.seeded import Draws, undisturbed
from qsim.models.spec import Model

if TYPE_CHECKING:
    from collections.abc import Callable

_WORDS: Final = 1000
_TOKENS: Final = 32  # of an example; a network takes up to _POSITIONS
_POSITIONS: Final = 128
_WIDTH: Final = 128
_BLOCKS: Final = 2
_CALIBRATION: Final = 32  # sequences, in batches of 8
_SAMPLES: Final = 64


def bert_tiny() -> Model:
    """Return the encoder; its outputs are ``[N, T, 128]`` and, pooled, ``[N, 128]``.

    Raises:
        MissingToolError: transformers is not installed.
    """

    def make(package: Any) -> torch.nn.Module:
        config = package.BertConfig(
            vocab_size=_WORDS, max_position_embeddings=_POSITIONS, hidden_size=_WIDTH,
            num_hidden_layers=_BLOCKS, num_attention_heads=2, intermediate_size=4 * _WIDTH,
        )  # fmt: skip
        net: torch.nn.Module = package.BertModel(config)
        return net

    return _seeded("bert-tiny", make, seed=11)


def gpt2_tiny() -> Model:
    """Return the decoder; its output is the logits ``[N, T, 1000]``.

    Raises:
        MissingToolError: transformers is not installed.
    """

    def make(package: Any) -> torch.nn.Module:
        config = package.GPT2Config(
            vocab_size=_WORDS, n_positions=_POSITIONS, n_embd=_WIDTH, n_layer=_BLOCKS, n_head=2,
            use_cache=False, bos_token_id=0, eos_token_id=0,
        )  # fmt: skip
        net: torch.nn.Module = package.GPT2LMHeadModel(config)
        return net

    return _seeded("gpt2-tiny", make, seed=12)


def llama_tiny() -> Model:
    """Return the decoder; its output is the logits ``[N, T, 1000]``.

    Raises:
        MissingToolError: transformers is not installed.
    """

    def make(package: Any) -> torch.nn.Module:
        config = package.LlamaConfig(
            vocab_size=_WORDS, max_position_embeddings=_POSITIONS, hidden_size=_WIDTH,
            num_hidden_layers=_BLOCKS, num_attention_heads=4, num_key_value_heads=2,
            intermediate_size=352, use_cache=False,
        )  # fmt: skip
        net: torch.nn.Module = package.LlamaForCausalLM(config)
        return net

    return _seeded("llama-tiny", make, seed=13)


def transformers(what: str) -> Any:
    """Return the package transformers, which takes seconds to import.

    Args:
        what: needs it, for the message.

    Raises:
        MissingToolError: it is not installed.
    """
    if importlib.util.find_spec("transformers") is None:
        raise MissingToolError(
            f"{what} needs the package transformers; in the checkout: "
            "pip install -e '.[transformers]'"
        )
    return importlib.import_module("transformers")


def _seeded(name: str, make: Callable[[Any], torch.nn.Module], *, seed: int) -> Model:
    package = transformers(f"the model {name}")
    with undisturbed(seed):
        net = make(package).eval()
    _draw_weights(net, Draws(seed + 1))
    count = _CALIBRATION + _SAMPLES
    tokens = Draws(seed).uniform(0, _WORDS, count, _TOKENS).long()
    calibration, measured = tokens[:_CALIBRATION], tokens[_CALIBRATION:]
    batches = tuple((batch,) for batch in torch.split(calibration, 8))
    return Model(net, (measured[:1],), batches, (measured, None), name)


@torch.no_grad()
def _draw_weights(net: torch.nn.Module, draws: Draws) -> None:
    """Draw every weight; one that two layers share is drawn once.

    Products keep the size of what they read, embeddings are a quarter as large, so that every
    block adds something new, and norms leave their channels apart.
    """
    for name, weight in net.named_parameters():
        owner = net.get_submodule(name.rpartition(".")[0])
        if weight.ndim == 1:
            norm = name.endswith("weight")
            weight.copy_(
                draws.uniform(0.8, 1.2, *weight.shape)
                if norm
                else draws.normal(*weight.shape) * 0.05
            )
        elif isinstance(owner, torch.nn.Embedding):
            weight.copy_(draws.normal(*weight.shape) * 0.25)
        else:
            # Linear layers have their inputs last, GPT-2's Conv1D first.
            inputs = weight.shape[isinstance(owner, torch.nn.Linear)]
            weight.copy_(draws.normal(*weight.shape) / math.sqrt(inputs))

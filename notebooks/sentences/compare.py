"""Cosine similarities of sentence pairs, of the float network and of quantized ones.

A sentence's embedding is the mean of its tokens' vectors. The network makes the vectors; the mean
and the cosine are computed in float64 here, for all alike. Sentences run one by one, because a
scale that is chosen at run time is that of a whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import torch

import qsim
from qsim.torch_threads import one_torch_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qsim.models import Model

PAIRS: Final = Path(__file__).with_name("pairs.txt")
TARGETS: Final = ("fbgemm-dynamic", "onnxruntime-dynamic", "integer-transformer")
Values = np.ndarray[Any, np.dtype[np.float64]]
# Token numbers and mask of sentences, int64 ``[N, T]``.
Tokenize: TypeAlias = "Callable[[Sequence[str]], tuple[torch.Tensor, torch.Tensor]]"


@dataclass(frozen=True, slots=True)
class Result:
    """What a network makes of the pairs.

    Attributes:
        name: the target, or ``float``.
        cosines: a pair each.
        host: number of operators that stay in torch; None of the float network.
    """

    name: str
    cosines: Values
    host: int | None = None


def read_pairs(path: Path = PAIRS) -> list[tuple[str, str]]:
    """Return the pairs of a file: a bar between two sentences, lines of # left out."""
    lines = path.read_text(encoding="utf-8").splitlines()
    split = [line.split(" | ") for line in lines if line and not line.startswith("#")]
    return [(first, second) for first, second in split]


def cosines(
    network: Callable[..., Any],
    pairs: Sequence[tuple[str, str]],
    tokenize: Tokenize,
) -> Values:
    """Return the cosine similarity of each pair.

    Args:
        network: takes token numbers and mask ``[1, T]``, returns vectors ``[1, T, C]``.
        pairs: sentences.
        tokenize: returns token numbers and mask of sentences.
    """
    embeddings = []
    for sentence in (each for pair in pairs for each in pair):
        numbers, mask = tokenize([sentence])
        with torch.no_grad():
            vectors = network(numbers, mask)[0].double().numpy()
        mean = vectors[mask[0].numpy() == 1].mean(axis=0)
        embeddings.append(mean / np.linalg.norm(mean))
    both = np.array(embeddings).reshape(len(pairs), 2, -1)
    return np.asarray((both[:, 0] * both[:, 1]).sum(axis=1))


def compare(model: Model, tokenize: Tokenize, pairs: Sequence[tuple[str, str]]) -> list[Result]:
    """Return what the float network, and then each target, makes of the pairs."""
    with one_torch_thread():
        exact = Result("float", cosines(model.module, pairs, tokenize))
        return [exact, *(on_target(model, name, pairs, tokenize) for name in TARGETS)]


def on_target(
    model: Model,
    name: str,
    pairs: Sequence[tuple[str, str]],
    tokenize: Tokenize,
) -> Result:
    """Quantize and lower a model for a target, and return what it makes of the pairs."""
    target = qsim.Target.load(name)
    quantized = qsim.quantize(
        model.module, model.example_inputs, target, calibration=model.calibration
    )
    lowered = qsim.lower(quantized)
    return Result(name, cosines(lowered, pairs, tokenize), len(lowered.host_operators))


def spearman(a: Values, b: Values) -> float:
    """Return the rank correlation: Pearson's, of ranks; equal values share their mean rank."""
    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


def ranks(values: Values) -> Values:
    """Return the rank of each value, from 1; equal ones have the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place], np.float64)

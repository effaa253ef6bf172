"""The comparison as text, within 100 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

import numpy as np

from notebooks.sentences.compare import spearman

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebooks.sentences.compare import Result

_SENTENCE: Final = 33
_SHORT: Final = {
    "fbgemm-dynamic": "fbgemm",
    "onnxruntime-dynamic": "onnx",
    "integer-transformer": "integer",
}


def of_pairs(pairs: Sequence[tuple[str, str]], results: Sequence[Result]) -> str:
    """Return a line for each pair: both sentences, and every network's cosine similarity."""
    heads = "".join(f"{_SHORT.get(each.name, each.name):>8}" for each in results)
    lines = [f"{'one sentence':{_SENTENCE}} {'the other':{_SENTENCE}}{heads}"]
    for index, pair in enumerate(pairs):
        words = " ".join(f"{_short(sentence):{_SENTENCE}}" for sentence in pair)
        lines.append(words + "".join(f"{each.cosines[index]:>8.3f}" for each in results))
    return "\n".join(lines)


def of_networks(results: Sequence[Result]) -> str:
    """Return a line for each quantized network: how far it is from the first, the float one."""
    exact, *others = results
    heads = f"{'rank correlation':>18}{'mean |difference|':>19}{'greatest':>10}{'in torch':>10}"
    lines = [f"{'cosines against float':24}{heads}"]
    for each in others:
        apart = np.abs(each.cosines - exact.cosines)
        figures = f"{spearman(exact.cosines, each.cosines):>18.4f}{apart.mean():>19.4f}"
        lines.append(f"{each.name:24}{figures}{apart.max():>10.4f}{each.host:>10}")
    return "\n".join(lines)


def _short(sentence: str) -> str:
    return textwrap.shorten(sentence, _SENTENCE, placeholder=" …")

"""Names of operators in words that edge programs, eager graphs and ``.pte`` files share.

They serve to find what two programs have in common, never to decide what is computed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from operator import getitem
from typing import Final

import torch

_PART: Final = "getitem"
_SAME: Final = {
    word: label
    for label, words in {
        "reshape": "view _unsafe_view reshape flatten unsqueeze squeeze alias et_view",
        "permute": "permute transpose t movedim",
        "convolution": "convolution conv1d conv2d conv3d "
        "conv_transpose1d conv_transpose2d conv_transpose3d",
        "linear": "linear addmm mm",
        "clamp": "clamp clamp_min clamp_max hardtanh relu6",
        "average": "mean avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d "
        "adaptive_avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d",
        "max_pool": "max_pool1d max_pool2d max_pool3d max_pool2d_with_indices "
        "max_pool3d_with_indices adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d",
        "copy": "clone _to_copy _clone_dim_order _to_dim_order_copy copy contiguous lift_fresh",
        "softmax": "softmax _softmax",
        "log_softmax": "log_softmax _log_softmax",
        "cat": "cat concat",
    }.items()
    for word in words.split()
}


def label(operator: str) -> str:
    """Return the label of an operator: ``aten::view_copy.out`` and ``aten.flatten`` agree."""
    if operator == str(getitem):
        return _PART
    name = re.split(r"::|\.", operator)[1] if re.search(r"::|\.", operator) else operator
    name = name.strip("_") if name.endswith("_") else name
    plain = name.removesuffix("_copy") if name not in _SAME else name
    return _SAME.get(plain, plain)


@lru_cache(maxsize=4096)
def of_node(name: str) -> str:
    """Return the label of the operator that a node is named after; ``input`` if none is.

    ``aten_add_tensor_1`` of an edge program and ``add_1`` of an eager graph are both ``add``.
    """
    words = re.sub(r"_\d+$", "", name).removeprefix("aten_").split("_")
    if words == ["getitem"]:
        return _PART
    for count in range(len(words), 0, -1):
        base = "_".join(words[:count])
        if hasattr(torch.ops.aten, base):
            return label(f"aten.{base}")
    return "input"


def kind(operator: str) -> str:
    """Return what an operator makes: ``codes`` (quantize), ``real`` (dequantize) or ``value``."""
    name = label(operator)
    if name.startswith("quantize_per"):
        return "codes"
    return "real" if name.startswith("dequantize_per") else "value"


def short(operator: str) -> str:
    """Return an operator as a table shows it: without namespace, ``.out`` and ``.default``."""
    name = operator.rpartition("::")[2]
    name = name.removeprefix("quantized_decomposed.").removeprefix("aten.")
    return name.removesuffix(".out").removesuffix(".default")

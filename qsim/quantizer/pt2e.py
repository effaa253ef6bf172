"""torchao's PT2E on large graphs; the one place that touches private parts of it.

PT2E gives every observer the first free name ``activation_post_process_0``, ``_1``, ..., and looks
for it from 0 each time: a fifth of the time of its steps on a network of 900 observers. Here the
search goes on where it ended; the names are the same.
"""

from __future__ import annotations

import contextlib
import importlib
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch
    from torch.fx import GraphModule

    from qsim.quantizer.annotate import TargetQuantizer

_SEARCH: Final = "get_new_attr_name_with_prefix"
_SEARCHERS: Final = ("torch.ao.quantization.fx.prepare", "torchao.quantization.pt2e.utils")


def prepare(graph: GraphModule, quantizer: TargetQuantizer) -> GraphModule:
    """Put observers into a graph, as ``prepare_pt2e`` does."""
    from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

    with _names_go_on():
        prepared: GraphModule = prepare_pt2e(graph, quantizer)
        return prepared


def convert(prepared: GraphModule) -> GraphModule:
    """Put quantize and dequantize where the observers are, as ``convert_pt2e`` does."""
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

    with _names_go_on():
        converted: GraphModule = convert_pt2e(prepared)
        return converted


@contextlib.contextmanager
def _names_go_on() -> Iterator[None]:
    modules = [importlib.import_module(each) for each in _SEARCHERS]
    before = [getattr(each, _SEARCH) for each in modules]
    free: WeakKeyDictionary[torch.nn.Module, dict[str, int]] = WeakKeyDictionary()

    def names_of(prefix: str) -> Callable[[torch.nn.Module], str]:
        start = prefix.replace(".", "_")

        def name(module: torch.nn.Module) -> str:
            ends = free.setdefault(module, {})
            at = ends.get(start, 0)
            while hasattr(module, f"{start}{at}"):
                at += 1
            ends[start] = at
            return f"{start}{at}"

        return name

    try:
        for each in modules:
            setattr(each, _SEARCH, names_of)
        yield
    finally:
        for each, function in zip(modules, before, strict=True):
            setattr(each, _SEARCH, function)

"""Operators of a float32 graph computed in float64.

How a sum is ordered, and how an exponential is approximated, depends on the processor, on torch's
libraries and on the number of threads. In float64 that shows in the sixteenth digit, nine digits
below the last of float32: what is rounded afterwards, to float32 or to the grid of
``qsim.quantizer.qparams``, is the same everywhere unless it lay that near to a boundary.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.fx.node import map_aggregate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WIDER: Final = {torch.float32: torch.float64, torch.complex64: torch.complex128}
_NARROWER: Final = {wide: narrow for narrow, wide in _WIDER.items()}
# Reads the bits of its operand: of a float64 they would mean something else.
_BITS: Final = frozenset({torch.ops.aten.view.dtype})


def wide(value: Any) -> Any:
    """Return a tensor of float32 (or complex64) in twice the width, anything else as it is."""
    return _cast(value, _WIDER)


def narrow(value: Any, dtype: torch.dtype) -> Any:
    """Return a result of :func:`compute` rounded once, where the graph says float32."""
    return _cast(value, _NARROWER) if _WIDER.get(dtype) is not None else value


def compute(target: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Call an operator on operands of float64; where it has no such kernel, in float32.

    Arguments that name float32 name float64, so that a cast of the model's does not narrow.

    Returns:
        Its results; those in float32 are widened.
    """
    if target not in _BITS:
        with contextlib.suppress(RuntimeError, TypeError, AssertionError):
            return map_aggregate(target(*_named(args), **_named(kwargs)), wide)
    narrowed = map_aggregate((args, kwargs), lambda value: _cast(value, _NARROWER))
    return map_aggregate(target(*narrowed[0], **narrowed[1]), wide)


def _named(arguments: Any) -> Any:
    def name(value: Any) -> Any:
        return _WIDER.get(value, value) if isinstance(value, torch.dtype) else value

    return map_aggregate(arguments, name)


def _cast(value: Any, dtypes: dict[torch.dtype, torch.dtype]) -> Any:
    if isinstance(value, torch.Tensor) and value.dtype in dtypes:
        return value.detach().to(dtypes[value.dtype])
    return value


@contextlib.contextmanager
def float64_by_default() -> Iterator[None]:
    """Let operators that are told no type make float64 inside."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class Double(torch.fx.Interpreter):
    """Runs a float32 graph in float64; observers that stand in it see float64.

    Attributes:
        running: the node that is computed now, or that an observer looks at.
    """

    running: torch.fx.Node | None = None

    def __init__(self, graph: torch.fx.GraphModule) -> None:
        super().__init__(graph)
        self._held: dict[str, Any] = {}

    def run_node(self, n: torch.fx.Node) -> Any:
        """Compute a node."""
        self.running = n.all_input_nodes[0] if n.op == "call_module" else n
        return super().run_node(n)

    def placeholder(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Return an input, widened."""
        return wide(super().placeholder(target, args, kwargs))

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Return a constant, widened once."""
        if target not in self._held:
            self._held[target] = wide(super().get_attr(target, args, kwargs))
        return self._held[target]

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Compute an operator."""
        return compute(target, args, kwargs)

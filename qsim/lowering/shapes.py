"""Shapes of every tensor of a converted graph, and which dimension is the batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qsim.errors import ModelError
from qsim.graph import place
from qsim.lowering.view import NotLowerableError, is_dequantize, is_quantize
from qsim.program import MAX_RANK
from qsim.registry import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch.fx import GraphModule, Node


@dataclass(slots=True)
class Shapes:
    """Shapes of every float or integer tensor of a graph; dimension 0 is -1 where it is the batch.

    Found by running the graph on tensors without data for two batch sizes: a dimension that
    differs depends on the batch. This needs no metadata, which converted graphs lack in places.
    """

    found: dict[Node, tuple[int, ...]] = field(default_factory=dict)
    mixed: set[Node] = field(default_factory=set)

    def of(self, node: Node) -> tuple[int, ...]:
        """Return a node's shape, or raise NotLowerableError where the batch is not dimension 0."""
        if node in self.mixed:
            text = "dimension 0 of its result is not the batch alone, or another one depends on it"
            raise NotLowerableError(Reason("batch", text))
        if node not in self.found:
            raise NotLowerableError("its result is not a tensor")
        if len(self.found[node]) > MAX_RANK:
            text = f"its result has {len(self.found[node])} dimensions, more than {MAX_RANK}"
            raise NotLowerableError(text)
        return self.found[node]


def infer_shapes(graph: GraphModule, inputs: Sequence[torch.Tensor], *, batch: bool) -> Shapes:
    """Return the shapes of every tensor in the graph."""
    shapes = Shapes()
    if not batch:
        shapes.found = _shapes_at(graph, inputs)
        return shapes
    # Neither size is likely to be a constant dimension of the network by accident.
    first, second = (_shapes_at(graph, [_rebatch(x, n) for x in inputs]) for n in (7, 11))
    for node, at_seven in first.items():
        at_eleven = second[node]
        moved = [i for i, (a, b) in enumerate(zip(at_seven, at_eleven, strict=True)) if a != b]
        if moved in ([], [0]) and (not moved or at_seven[0] == 7):
            shapes.found[node] = (-1, *at_seven[1:]) if moved else at_seven
        else:
            shapes.mixed.add(node)
    return shapes


def _rebatch(x: torch.Tensor, size: int) -> torch.Tensor:
    return x[:1].expand(size, *x.shape[1:])


def _shapes_at(graph: GraphModule, inputs: Sequence[torch.Tensor]) -> dict[Node, tuple[int, ...]]:
    """Return the shapes for these inputs, from tensors on the meta device: that is fast.

    Some operators do not run there (constants that are read, no meta kernel); fake tensors know
    more of them, and say what is wrong where they do not run either.
    """
    import torch

    with torch.no_grad():
        try:
            return _on_meta(graph, inputs)
        except Exception:
            return _on_fake(graph, inputs)


def _on_meta(graph: GraphModule, inputs: Sequence[torch.Tensor]) -> dict[Node, tuple[int, ...]]:
    import torch
    from torch.fx import Interpreter

    found: dict[Node, tuple[int, ...]] = {}

    class Recorder(Interpreter):
        def run_node(self, n: Node) -> Any:
            if is_quantize(n) or is_dequantize(n):
                args = self.fetch_args_kwargs_from_env(n)[0]
                # Their kernels are Python; what comes after reads whether it is fp32, no more.
                result = torch.empty_like(args[0], dtype=torch.int32 if is_quantize(n) else None)
                result = result if is_quantize(n) else result.float()
            else:
                result = super().run_node(n)
            if isinstance(result, torch.Tensor):
                found[n] = tuple(map(int, result.shape))
            return result

        def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
            if kwargs.get("device") is not None:
                kwargs = {**kwargs, "device": "meta"}
            return super().call_function(target, args, kwargs)

        def fetch_attr(self, target: str) -> Any:
            value = super().fetch_attr(target)
            return value.to("meta") if isinstance(value, torch.Tensor) else value

    Recorder(graph).run(*[x.to("meta") for x in inputs])
    return found


def _on_fake(graph: GraphModule, inputs: Sequence[torch.Tensor]) -> dict[Node, tuple[int, ...]]:
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx import Interpreter

    found: dict[Node, tuple[int, ...]] = {}
    running: list[Node] = []

    class Recorder(Interpreter):
        def run_node(self, n: Node) -> Any:
            running[:] = [n]
            result = super().run_node(n)
            if isinstance(result, torch.Tensor):
                found[n] = tuple(int(d) for d in result.shape)
            return result

    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        try:
            Recorder(graph).run(*[mode.from_tensor(x.contiguous()) for x in inputs])
        except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelError(
                f"the quantized graph does not run on shapes alone: {reason[:200]}",
                where="".join(map(place, running)),
                accepted="a graph whose shapes do not depend on data",
            ) from error
    return found

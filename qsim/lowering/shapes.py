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

    Attributes:
        found: where the batch is dimension 0, or nowhere.
        mixed: the tensors whose batch is not dimension 0, with the dimension that it is, if any.
        folded: those with several rows of each sample in dimension 0, which is -1.
    """

    found: dict[Node, tuple[int, ...]] = field(default_factory=dict)
    mixed: dict[Node, int | None] = field(default_factory=dict)
    folded: dict[Node, tuple[int, ...]] = field(default_factory=dict)

    def of(self, node: Node) -> tuple[int, ...]:
        """Return a node's shape, or raise NotLowerableError where the batch is not dimension 0."""
        if node in self.folded:
            raise NotLowerableError(
                Reason("batch", "it has more than one row of each sample in the batch's dimension")
            )
        if node in self.mixed:
            at = self.mixed[node]
            mixed = "dimension 0 of its result is not the batch alone, or another one depends on it"
            moved = f"the batch is dimension {at} of its result, not dimension 0"
            raise NotLowerableError(Reason("batch", mixed if at is None else moved))
        if node not in self.found:
            raise NotLowerableError("its result is not a tensor")
        if len(self.found[node]) > MAX_RANK:
            text = f"its result has {len(self.found[node])} dimensions, more than {MAX_RANK}"
            raise NotLowerableError(text)
        return self.found[node]

    def of_result(self, node: Node) -> tuple[int, ...]:
        """Return the shape of a result of the network, whose dimension 0 may be folded."""
        return self.folded[node] if node in self.folded else self.of(node)


def infer_shapes(
    graph: GraphModule, inputs: Sequence[torch.Tensor], *, batch: bool, kept: int = 0
) -> Shapes:
    """Return the shapes of every tensor in the graph; of the inputs, the last ``kept`` are states.

    Those keep their sizes whatever the batch is.
    """
    first_kept = len(inputs) - kept
    shapes = Shapes()
    if not batch:
        shapes.found = _shapes_at(graph, inputs)
        return shapes
    # Neither size is likely to be a constant dimension of the network by accident.
    first, second = (
        _shapes_at(graph, [*(_rebatch(x, n) for x in inputs[:first_kept]), *inputs[first_kept:]])
        for n in (7, 11)
    )
    for node, at_seven in first.items():
        at_eleven = second[node]
        moved = [i for i, (a, b) in enumerate(zip(at_seven, at_eleven, strict=True)) if a != b]
        if moved in ([], [0]) and (not moved or at_seven[0] == 7):
            shapes.found[node] = (-1, *at_seven[1:]) if moved else at_seven
        elif moved == [0] and (at_seven[0] % 7, at_eleven[0]) == (0, at_seven[0] // 7 * 11):
            shapes.folded[node] = (-1, *at_seven[1:])
        else:
            alone = len(moved) == 1 and at_seven[moved[0]] == 7 and at_eleven[moved[0]] == 11
            shapes.mixed[node] = moved[0] if alone else None
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
                result = _like(args[0], torch.int32 if is_quantize(n) else torch.float32)
            elif n.target is torch.ops.aten.relu.default:  # its definition for shapes is Python too
                (x,), _ = self.fetch_args_kwargs_from_env(n)
                result = _like(x, x.dtype)
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


def _like(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return ``empty_like``, which is slow on the meta device."""
    import torch

    if x.is_contiguous():
        return torch.empty(x.shape, dtype=dtype, device="meta")
    return torch.empty_like(x, dtype=dtype)


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

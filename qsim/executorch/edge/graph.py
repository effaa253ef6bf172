"""Interprets the graph of an edge program: delegates go to their models, branches and loops run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from torch._ops import HigherOrderOperator
from torch.fx import GraphModule, Interpreter

from qsim.errors import ModelError
from qsim.executorch import adapter
from qsim.executorch.delegates import DelegateModel, Expected
from qsim.executorch.edge.sizes import is_known
from qsim.executorch.pte import Delegate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch.fx import Node


class EdgeGraph(Interpreter):
    """Runs the graph of an edge program, which ``check_graph`` has accepted."""

    def run_node(self, n: Node) -> Any:
        """Return what a node makes."""
        if n.op == "call_function":
            if n.target is adapter.call_delegate():
                args, _ = self.fetch_args_kwargs_from_env(n)
                return _delegate(n, *args)
            if isinstance(n.target, HigherOrderOperator):
                args, _ = self.fetch_args_kwargs_from_env(n)
                return _FLOWS[str(n.target)](*args)
        return super().run_node(n)


def check_graph(graph: GraphModule) -> None:
    """Refuse, before anything runs, what ``EdgeGraph`` does not do; branches are checked too.

    Raises:
        ModelError: a delegate without a model, or an operator of higher order that is not known.
    """
    for node in graph.graph.nodes:
        if node.op != "call_function" or not isinstance(node.target, HigherOrderOperator):
            continue
        parts = [
            getattr(graph, str(item.target))
            for item in node.all_input_nodes
            if item.op == "get_attr"
        ]
        if node.target is adapter.call_delegate():
            _model(node, parts[0])
        elif str(node.target) not in _FLOWS:
            raise ModelError(
                f"it calls {node.target} ({node.name})",
                where="run_edge",
                accepted=f"of higher order: {', '.join(_FLOWS)}",
            )
        else:
            for part in parts:
                if isinstance(part, GraphModule):
                    check_graph(part)


def _model(node: Node, module: Any) -> DelegateModel:
    specs = {spec.key: bytes(spec.value) for spec in module.compile_specs}
    delegate = Delegate(module.backend_id, module.processed_bytes, specs)
    return DelegateModel(delegate, f"{node.args[0]} (delegate {delegate.id})")


def _delegate(node: Node, module: Any, *given: Any) -> list[torch.Tensor]:
    values = node.meta["val"]
    expected = [
        Expected(
            f"output {at}",
            value.dtype,
            tuple(int(size) if is_known(size) else None for size in value.shape),
        )
        for at, value in enumerate(values if isinstance(values, (tuple, list)) else [values])
    ]
    return _model(node, module)(list(given), expected)


def _cond(condition: Any, yes: GraphModule, no: GraphModule, operands: Sequence[Any] = ()) -> Any:
    return EdgeGraph(yes if condition else no).run(*operands)


def _map(body: GraphModule, rows: Sequence[torch.Tensor], others: Sequence[Any]) -> Any:
    made = [EdgeGraph(body).run(*row, *others) for row in zip(*rows, strict=True)]
    return tuple(torch.stack(column) for column in zip(*made, strict=True))


def _scan(
    body: GraphModule,
    first: Sequence[torch.Tensor],
    rows: Sequence[torch.Tensor],
    others: Sequence[Any] = (),
) -> Any:
    carried = list(first)
    made = []
    for row in zip(*rows, strict=True):
        results = EdgeGraph(body).run(*carried, *row, *others)
        carried = list(results[: len(first)])
        made.append(results[len(first) :])
    return (*carried, *(torch.stack(column) for column in zip(*made, strict=True)))


def _while(
    condition: GraphModule, body: GraphModule, first: Sequence[Any], others: Sequence[Any] = ()
) -> Any:
    carried = tuple(first)
    while _single(EdgeGraph(condition).run(*carried, *others)):
        carried = tuple(EdgeGraph(body).run(*carried, *others))
    return carried


def _single(result: Any) -> Any:
    return result[0] if isinstance(result, (tuple, list)) else result


_FLOWS: Final[dict[str, Callable[..., Any]]] = {
    "cond": _cond,
    "map_impl": _map,
    "scan": _scan,
    "while_loop": _while,
}

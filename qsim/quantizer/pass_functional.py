"""Passes that leave no operator with a state: no random numbers, no writing in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from qsim.errors import ModelError
from qsim.graph import nodes

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

_aten = torch.ops.aten
# dropout in eval hands its input on, which its schema does not say.
_ALIASES = frozenset({_aten.dropout.default})
_RANDOM = frozenset(
    {"rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like"}
    | {"bernoulli", "exponential", "multinomial", "normal", "poisson", "uniform"}
)


def refuse_random(graph: GraphModule) -> None:
    """Refuse operators whose result is another one at every run."""
    for node in graph.graph.nodes:
        name = nodes.operator_name(node).rstrip("_")
        drops = name.endswith("dropout") and nodes.argument(node, 2, "train", False) is True
        if node.op == "call_function" and (drops or name in _RANDOM):
            raise ModelError(
                f"{node.target} draws random numbers",
                where=nodes.layer(node),
                accepted="a model whose outputs depend on its inputs alone",
            )


def functional(graph: GraphModule) -> None:
    """Replace operators that write into their first operand by those that return a new tensor."""
    order = {node: index for index, node in enumerate(graph.graph.nodes)}
    base: dict[Node, Node] = {}
    for node in list(graph.graph.nodes):
        base[node] = base.get(_aliased(node), node) if _aliased(node) is not None else node
        if not _writes(node):
            continue
        target = node.args[0]
        assert isinstance(target, torch.fx.Node)  # noqa: S101  # for mypy: schemas say so
        _check_write(node, target, base, order)
        node.target = _functional(node)
        later = {user for user in target.users if order[user] > order[node]}
        target.replace_all_uses_with(node, delete_user_cb=later.__contains__)


def _aliased(node: Node) -> Any:
    """Return the operand whose memory the node's result may share, or None."""
    schema = nodes.schema(node)
    if schema is None or not schema.arguments or not node.args:
        return None
    if node.target in _ALIASES or schema.arguments[0].alias_info is not None:
        return node.args[0] if isinstance(node.args[0], torch.fx.Node) else None
    return None


def _writes(node: Node) -> bool:
    schema = nodes.schema(node)
    if schema is None or not schema.arguments:
        return False
    info = schema.arguments[0].alias_info
    return info is not None and info.is_write


def _check_write(node: Node, target: Node, base: dict[Node, Node], order: dict[Node, int]) -> None:
    root = base[target]
    if nodes.is_parameter(root):
        raise ModelError(
            f"writes into its buffer {root.target!r} with {node.target}",
            where=nodes.layer(node),
            accepted="a model without state: an accelerator starts every run alike",
        )
    for other, other_root in base.items():
        stale = other_root is root and other not in (target, node)
        if stale and any(order[user] > order[node] for user in other.users):
            raise ModelError(
                f"{node.target} writes into a view of {other.name}, which is read afterwards",
                where=nodes.layer(node),
                accepted="the operator that returns a new tensor",
            )


def _functional(node: Node) -> Any:
    name, overload = str(node.target).split(".")[1:]
    packet = getattr(_aten, name.removesuffix("_"), None)
    found = getattr(packet, overload, None)
    if found is None or not name.endswith("_"):
        raise ModelError(
            f"{node.target} writes in place and has no counterpart that does not",
            where=nodes.layer(node),
            accepted="the operator that returns a new tensor",
        )
    return found

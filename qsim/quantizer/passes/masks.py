"""A pass over masks that are known before the first sample: constants with minus infinity in them.

What a softmax shall not see is set to minus infinity, or to the least float there is. No code
stands for either, and a scale that reached so far would leave no code for the scores. Any number
will do that lies far enough below them: the pass makes a number of it, and once the scores' range
is known (``Masks.settle``), the mask is set as far below as it must be. The sum saturates there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from qsim.graph import nodes
from qsim.quantizer.passes.constants import add_constant
from qsim.quantizer.qparams import choose
from qsim.quantizer.rewriting import insert, replace
from qsim.registry import Reason

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

    from qsim.quantizer.observers import ActivationObserver

_aten = torch.ops.aten
_HOST: Final = "qsim_stays"
_MASK: Final = "qsim_mask"
# In a graph's meta: the names of what it masks, and of what is to be taken for a mask, where that
# was decided at another length (a single token hides nothing).
_FOUND: Final = "qsim_masks"
_KNOWN: Final = "qsim_known_masks"
_TABLE: Final = "qsim_rows"
_MOVES: Final = (_aten.reshape.default, _aten.permute.default)
# Below this a constant is a mask: exp of it is 0 in float32, however softmax shifts its scores.
HIDDEN: Final = -4096.0
# What hides until the range of scores is known, far below any of them.
_FAR: Final = -(2.0**30)
# How far below the least score a hidden one lies: exp(-12) is 1/160000, less than a 16-bit code.
_MARGIN: Final = 12.0
# Why a mask that an input makes is not added in integers, nor the softmax behind it.
RUN_TIME: Final = Reason(
    "operand",
    "its mask comes at run time and may hold minus infinity, which no code stands for; "
    "one that is a constant of the model is added in integers",
)
SOFTMAX: Final = (_aten.softmax.int, _aten._softmax.default)  # noqa: SLF001


def stay(node: Node, reason: Reason) -> Node:
    """Keep an operator in torch, whatever pattern takes it."""
    node.meta[_HOST] = reason
    return node


def stays(node: Node) -> Reason | None:
    """Return why a pass keeps an operator in torch, if one does."""
    found: Reason | None = node.meta.get(_HOST)
    return found


def unmarked(node: Node) -> Node:
    """Forget what passes have said of the operator whose place a node takes."""
    node.meta.pop(_HOST, None)
    node.meta.pop(_MASK, None)
    return node


def know_masks(graph: GraphModule, known: frozenset[str]) -> None:
    """Let the pass take these operators for masks, and no other."""
    graph.meta[_KNOWN] = known


def masked(graph: GraphModule) -> frozenset[str]:
    """Return the names of the operators that the pass took for masks."""
    return frozenset(graph.meta.get(_FOUND, ()))


def in_table(node: Node) -> Node:
    """Note that a node is rows of a constant table, of this reader alone, read at run time."""
    node.meta[_TABLE] = True
    return node


def table_of(node: Any) -> Node | None:
    """Return the operator that reads rows of a constant table, where a node is these alone."""
    if not isinstance(node, torch.fx.Node) or not node.meta.get(_TABLE):
        return None
    source: Any = node
    while source.target in _MOVES:
        source = source.args[0]
    return source if source.target is _aten.embedding.default else None


def mask_values(graph: GraphModule, mask: Any) -> torch.Tensor | None:
    """Return the values of a mask that is known: a constant, or rows of a table."""
    rows = table_of(mask)
    held: Any = mask if rows is None else rows.args[0]
    return nodes.attribute(graph, held) if nodes.is_parameter(held) else None


def finite_masks(graph: GraphModule) -> None:
    """Write masks that are constants as sums with numbers, where a softmax reads what is masked."""
    for softmax in list(graph.graph.nodes):
        node = softmax.args[0] if softmax.target in SOFTMAX else None
        if isinstance(node, torch.fx.Node) and len(node.users) == 1 and nodes.is_float(node):
            _mask(graph, node)


def _mask(graph: GraphModule, node: Node) -> None:
    found = _parts(graph, node)
    if found is None:
        return
    scores, values = found
    hidden = values <= HIDDEN
    known: frozenset[str] | None = graph.meta.get(_KNOWN)
    if known is not None:
        if node.name not in known:
            return
    elif not bool(hidden.any()) or bool(hidden.all(-1).any()):
        return
    graph.meta.setdefault(_FOUND, set()).add(node.name)
    held = values.masked_fill(hidden, _FAR).to(torch.float32)
    term: Any = next((each for each in node.args if table_of(each) is not None), None)
    rows = table_of(term)
    if rows is None:
        term = add_constant(graph, node, f"{node.name}_mask", held)
    else:
        rows.args = (add_constant(graph, rows, f"{node.name}_mask", held), *rows.args[1:])
    made = insert(graph, node, _aten.add.Tensor, scores, term, name="mask")
    made.meta[_MASK] = True
    replace(graph, node, made)


def _parts(graph: GraphModule, node: Node) -> tuple[Node, torch.Tensor] | None:
    """Return scores and the values that mask them, where a node adds or fills in a constant."""
    if node.target is _aten.add.Tensor and not node.kwargs:
        pairs: tuple[Any, ...] = (node.args[:2], node.args[1::-1])
        for scores, mask in pairs:
            values = mask_values(graph, mask)
            if values is not None and nodes.shape(scores) and not nodes.is_parameter(scores):
                return scores, values
    name = nodes.operator_name(node)
    if name in ("masked_fill", "where") and len(node.args) == 3:
        given: tuple[Any, ...] = node.args if name == "masked_fill" else _swapped(node)
        scores, where, value = given
        number = _number(graph, value)
        if nodes.is_parameter(where) and isinstance(scores, torch.fx.Node) and number is not None:
            places = nodes.attribute(graph, where).bool()
            places = places if name == "masked_fill" else ~places
            return scores, torch.zeros(places.shape).masked_fill(places, number)
    return None


def _swapped(node: Node) -> tuple[Any, Any, Any]:
    where, scores, value = node.args
    return scores, where, value


def _number(graph: GraphModule, value: Any) -> float | None:
    if isinstance(value, (int, float)):
        return float(value)
    if nodes.is_parameter(value):
        held = nodes.attribute(graph, value)
        return float(held) if held.numel() == 1 else None
    return None


@dataclass(frozen=True)
class Mask:
    """A mask whose number is not known yet.

    Attributes:
        add: the sum of scores and mask.
        held: the constant, changed in place.
        scores: the operand that is masked.
        term: the operand that is the constant.
    """

    add: Node
    held: torch.Tensor
    scores: Node
    term: Node

    def hide(self, number: float) -> None:
        """Set the number that hides."""
        self.held.masked_fill_(self.held <= _FAR, number)

    def settle(
        self, scores: ActivationObserver, term: ActivationObserver, made: ActivationObserver
    ) -> float:
        """Set the number that hides, and the scales of mask and sum; after calibration.

        Returns:
            That number.
        """
        scale, zero = (float(each[0]) for each in scores.qparams())
        low = scale * (scores.quant_min - zero)
        high = scale * (scores.quant_max - zero)
        least = low - high - _MARGIN
        shown = self.held[self.held > _FAR].double()
        added = [float(shown.min()), float(shown.max())] if shown.numel() else [0.0, 0.0]
        least += min(added[0], 0.0)
        self.hide(least)
        term.fix(_chosen(least, max(added[1], 0.0), term))
        made.fix(_chosen(low + min(added[0], 0.0) - _MARGIN, high + max(added[1], 0.0), made))
        return least


def find_masks(graph: GraphModule) -> list[Mask]:
    """Return the masks of a graph whose numbers are not known yet."""
    found = []
    for node in graph.graph.nodes:
        if node.meta.get(_MASK):
            scores, term = node.args[:2]
            rows = table_of(term)
            held: Any = term if rows is None else rows.args[0]
            found.append(Mask(node, nodes.attribute(graph, held), scores, term))
    return found


def _chosen(low: float, high: float, observer: ActivationObserver) -> tuple[float, int]:
    scale, zero = choose(np.array([low]), np.array([high]), observer.coding)
    return float(scale[0]), int(zero[0])

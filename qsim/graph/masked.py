"""A softmax whose mask comes at run time, in the form that a pass leaves and the lowering reads.

``_safe_softmax(masked_fill(scores, hidden, -inf))``, where ``hidden`` is ``eq(mask, 0)``, or
``ne(mask, 0)``, reshaped so that it broadcasts, and perhaps ``logical_or`` with a constant.
A program that is taken apart has ``view`` in the place of the reshape.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from qsim.graph import nodes

if TYPE_CHECKING:
    from torch.fx import Node

Hides: TypeAlias = Literal["zero", "nonzero"]


class Masked(NamedTuple):
    """The parts of a masked softmax.

    Attributes:
        fill: the operator that hides.
        scores: what is masked.
        mask: integers or bools of run time.
        hides: which of them hide.
        sizes: the shape in which the mask broadcasts to the scores, without the batch.
        hidden: the constant that hides elsewhere, or None.
        marks: the operators between the mask and ``fill``, the last first.
    """

    fill: Node
    scores: Node
    mask: Node
    hides: Hides
    sizes: tuple[int, ...]
    hidden: Node | None
    marks: tuple[Node, ...]


def read_masked(softmax: Node) -> Masked | None:
    """Return the parts of a softmax that is written in the form above."""
    fill: Any = softmax.args[0] if _calls(softmax, "_safe_softmax") else None
    if not _calls(fill, "masked_fill") or fill.args[2] != -math.inf:
        return None
    scores, marked = fill.args[:2]
    both = _calls(marked, "logical_or")
    hidden, constant = marked.args if both else (marked, None)
    if not (_calls(hidden, "reshape") or _calls(hidden, "view")):
        return None
    asked, sizes = hidden.args
    if not (_calls(asked, "eq") or _calls(asked, "ne")) or asked.args[1] != 0:
        return None
    hides: Hides = "zero" if _calls(asked, "eq") else "nonzero"
    marks = (marked, hidden, asked) if both else (hidden, asked)
    return Masked(fill, scores, asked.args[0], hides, tuple(sizes[1:]), constant, marks)


def _calls(node: Any, name: str) -> bool:
    """Return whether a node calls an operator of aten."""
    called = getattr(node, "op", "") == "call_function"
    return called and nodes.operator_name(node) == name

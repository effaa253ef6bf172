"""A softmax of what a mask shows that comes at run time.

No operator alone is this pattern: a pass writes masks in one form (``qsim.graph.masked``), and
``qsim.lowering.composition`` finds the operators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.graph import attribute, read_masked
from qsim.lowering import NotLowerableError
from qsim.patterns.curves.sigmoid import unit_interval
from qsim.patterns.curves.softmax import emit
from qsim.program import TensorSpec
from qsim.registry import Pattern, needs

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder


def _lower(builder: Builder) -> None:
    match, found = builder.match, read_masked(builder.match.anchor)
    if found is None:
        raise NotLowerableError("its mask is not read from one tensor of integers")
    (mask,) = match.integers
    name, sizes = mask.codes.name, mask.codes.shape
    rank = len(match.operands[0].shape)
    if len(sizes) < rank:
        shape = [sizes[0], *found.sizes]
        spec = TensorSpec(f"{match.name}.mask", tuple(shape), mask.codes.params.format)
        given = [0 if sizes[0] == -1 else sizes[0], *found.sizes]
        name = builder.call("reshape", (name,), spec, {"shape": given})
    allowed = None
    if found.hidden is not None:
        shown = ~attribute(builder.graph, found.hidden).bool().numpy()
        allowed = {"constant": builder.constant("allowed", shown.astype(np.int8))}
    further = {"hides": found.hides, "allowed": allowed}
    emit(builder, "masked_softmax", (match.operands[0].name, name), further)


def _mask(node: Node) -> tuple[Any, ...]:
    found = read_masked(node)
    return () if found is None else (found.mask,)


PATTERN: Final = Pattern(
    name="masked_softmax",
    overloads=(),
    primitives=needs("masked_softmax", "reshape"),
    lower=_lower,
    fixed=unit_interval,
    integers=_mask,
)

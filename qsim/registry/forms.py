"""Operators that a target with ``[floats]`` computes in float32: one table, from their overloads.

Apart from the patterns: what an operator needs of its operands to be float32 calls of a stated
order is not what it needs to be codes. The modules are imported when an
overload is first looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.fx import Node

    from qsim.lowering import Builder

BUILTIN: Final[tuple[str, ...]] = ("arithmetic", "functions", "rows", "matmul", "moves")
_table: dict[Any, Form] = {}


@dataclass(frozen=True, slots=True)
class Form:
    """One family of operators of float32 values.

    Attributes:
        name: the family's name in a quantization config: that of its pattern.
        overloads: operators that it claims: ``add.Tensor`` of aten.
        operands: the tensors that it reads, parameters of norms left out.
        lower: writes the calls into a builder whose match has ``floats``, or raises
            ``NotLowerableError`` with the reason.
    """

    name: str
    overloads: tuple[str, ...]
    operands: Callable[[Node], tuple[Node, ...]]
    lower: Callable[[Builder], None]


def form_of(operator: Any) -> Form | None:
    """Return the form that claims an operator (``node.target``)."""
    import torch

    if not _table:
        for name in BUILTIN:
            for form in import_module(f"qsim.patterns.floats.{name}").FORMS:
                for overload in form.overloads:
                    packet, _, kind = overload.partition(".")
                    found = getattr(getattr(torch.ops.aten, packet, None), kind, None)
                    if found is not None:
                        _table[found] = form
    try:
        return _table.get(operator)
    except TypeError:  # a target that cannot be hashed is no operator
        return None

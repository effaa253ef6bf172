"""Recurrent layers over a sequence: a pass unrolls what it can into cells; here is why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.graph import recurrent
from qsim.lowering import NotLowerableError
from qsim.patterns import cells
from qsim.registry import Pattern

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder


def _check(node: Node) -> bool:
    return not recurrent.refusal(node)


def _lower(builder: Builder) -> None:
    del builder
    raise NotLowerableError("it was not unrolled into cells when it was quantized")


PATTERN: Final = Pattern(
    name="recurrent",
    overloads=tuple(f"{name}.{kind}" for name in recurrent.LAYERS for kind in ("input", "data")),
    primitives=cells.primitives,
    lower=_lower,
    check=_check,
    why=recurrent.refusal,
)

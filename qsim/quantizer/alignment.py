"""Scales of two activations that a datapath adds by shifting one of them into a register.

An aligned addition (``add.formula = "aligned"``) shifts the operand of the coarser scale left until
both have the finer one. What is shifted out at the top is lost, so the scales may lie only so far
apart that the register of ``[sum]`` holds both. Where data would have them farther apart, the finer
scale is raised: bits of the smaller operand are lost, which the result could not show anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qsim.quantizer.groups import Operator, Slot
    from qsim.quantizer.observers import ActivationObserver
    from qsim.target import Target


def aligned(target: Target, chosen: Iterable[Operator]) -> list[tuple[Slot, Slot]]:
    """Return the places of the operands that the target adds by shifting."""
    if target.add.formula != "aligned":
        return []
    return [
        ((op.inputs[0], op.node), (op.inputs[1], op.node))
        for op in chosen
        if op.pattern.name in ("add", "sub") and len(op.inputs) == 2
    ]


def align(target: Target, pairs: list[tuple[ActivationObserver, ActivationObserver]]) -> None:
    """Raise the finer scale of each pair to what the register holds; after calibration.

    A scale that is raised may be the coarser one of another pair, so all are looked at until none
    changes. Scales that the configuration fixes stay: lowering says what that costs.
    """
    from qsim.target import derive

    changed = True
    while changed:
        changed = False
        for one, other in (*pairs, *((b, a) for a, b in pairs)):
            shift = derive.alignment(target, _largest(one), _largest(other))
            coarse = float(one.qparams()[0][0])
            changed |= other.raise_to(coarse * 2.0**-shift)


def _largest(observer: ActivationObserver) -> int:
    """Return the largest magnitude of a code; the codes have no zero point."""
    return max(-observer.quant_min, observer.quant_max)

"""Rewrites of an exported graph, one kind a module; ``order`` says when each runs."""

from __future__ import annotations

from qsim.quantizer.passes.constants import add_constant, drop_unused
from qsim.quantizer.passes.folded_norm import FOLDED, Norm
from qsim.quantizer.passes.functional import SharedWriteError
from qsim.quantizer.passes.masks import Mask, find_masks, know_masks, masked, stays
from qsim.quantizer.passes.order import simplify
from qsim.quantizer.passes.positions import dims_by_position, know_positions
from qsim.quantizer.passes.recurrent import show_states

__all__ = [
    "FOLDED",
    "Mask",
    "Norm",
    "SharedWriteError",
    "add_constant",
    "dims_by_position",
    "drop_unused",
    "find_masks",
    "know_masks",
    "know_positions",
    "masked",
    "show_states",
    "simplify",
    "stays",
]

"""Exported graphs: how they are captured, and how a node is read."""

from __future__ import annotations

from qsim.graph.capturing import batch_dims, batch_of, capture, check_inputs, doubled, quiet
from qsim.graph.elementwise import FUNCTIONS, is_elementwise, is_single, jumps
from qsim.graph.nodes import attribute, clamp_range, is_float, is_parameter, kind, shape

__all__ = [
    "FUNCTIONS",
    "attribute",
    "batch_dims",
    "batch_of",
    "capture",
    "check_inputs",
    "clamp_range",
    "doubled",
    "is_elementwise",
    "is_float",
    "is_parameter",
    "is_single",
    "jumps",
    "kind",
    "quiet",
    "shape",
]

"""Exported graphs: how they are captured, and how a node is read."""

from __future__ import annotations

from qsim.graph.arguments import Arguments, Batch
from qsim.graph.batching import batch_dims, doubled, rows_of
from qsim.graph.buffers import written_buffers
from qsim.graph.capturing import Captured, capture, check_inputs, quiet
from qsim.graph.elementwise import (
    CONSTANTS,
    FUNCTIONS,
    is_elementwise,
    is_single,
    jumps,
    mark_several,
)
from qsim.graph.free_lengths import A_CELL, UNROLLED, unwritten, with_lengths
from qsim.graph.masked import Masked, read_masked
from qsim.graph.nodes import attribute, clamp_range, is_float, is_parameter, kind, shape
from qsim.graph.packed import PACKED
from qsim.graph.places import place

__all__ = [
    "A_CELL",
    "CONSTANTS",
    "FUNCTIONS",
    "PACKED",
    "UNROLLED",
    "Arguments",
    "Batch",
    "Captured",
    "Masked",
    "attribute",
    "batch_dims",
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
    "mark_several",
    "place",
    "quiet",
    "read_masked",
    "rows_of",
    "shape",
    "unwritten",
    "with_lengths",
    "written_buffers",
]

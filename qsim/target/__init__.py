"""Targets: the contract of a datapath, read from TOML. Field by field: docs/targets.md."""

from __future__ import annotations

from qsim.target.contract import Target
from qsim.target.fields import shown
from qsim.target.sections import (
    Add,
    Array,
    At,
    AvgPool,
    Bias,
    Correlation,
    DeterministicRounding,
    DivisionRounding,
    Formula,
    Input,
    Memory,
    Order,
    Output,
    Overflow,
    Padding,
    Primitives,
    Quantize,
    Requantize,
    RequantizeLinear,
    RequantizeMul,
    Sum,
    Weight,
)

__all__ = [
    "Add",
    "Array",
    "At",
    "AvgPool",
    "Bias",
    "Correlation",
    "DeterministicRounding",
    "DivisionRounding",
    "Formula",
    "Input",
    "Memory",
    "Order",
    "Output",
    "Overflow",
    "Padding",
    "Primitives",
    "Quantize",
    "Requantize",
    "RequantizeLinear",
    "RequantizeMul",
    "Sum",
    "Target",
    "Weight",
    "shown",
]

"""Targets: the contract of a datapath, read from TOML. Field by field: docs/targets.md."""

from __future__ import annotations

from qsim.target.contract import Target
from qsim.target.sections import (
    Add,
    Array,
    AvgPool,
    Bias,
    Correlation,
    Input,
    Memory,
    Output,
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
    "AvgPool",
    "Bias",
    "Correlation",
    "Input",
    "Memory",
    "Output",
    "Padding",
    "Primitives",
    "Quantize",
    "Requantize",
    "RequantizeLinear",
    "RequantizeMul",
    "Sum",
    "Target",
    "Weight",
]

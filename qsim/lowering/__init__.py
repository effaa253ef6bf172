"""Lowers a Q/DQ graph to a host graph and integer Programs."""

from __future__ import annotations

from qsim.lowering.arrangement import arrange, constant_nodes
from qsim.lowering.assemble import Assembler, lower
from qsim.lowering.builder import Builder, Codes, Match
from qsim.lowering.clamps import clamp_codes
from qsim.lowering.composition import Composition, table_primitive
from qsim.lowering.composition import find as find_compositions
from qsim.lowering.dynamic import Dynamic, is_dynamic
from qsim.lowering.match import Matcher, chain, layer_of
from qsim.lowering.moving import Move, moves
from qsim.lowering.products import checked_weight, finish, weight_zero_points
from qsim.lowering.requantization import (
    emit_requantize,
    emit_rescale,
    flat_shape,
    lower_rescale,
    move_or_rescale,
    same_params,
    warn_of_factors,
)
from qsim.lowering.schemes import check_activation, check_bias, check_weight
from qsim.lowering.shapes import Shapes
from qsim.lowering.tables import lower_table
from qsim.lowering.turns import turn_of
from qsim.lowering.view import (
    Constant,
    NotLowerableError,
    QParams,
    constant,
    is_dequantize,
    is_quantize,
    operator_name,
)

__all__ = [
    "Assembler",
    "Builder",
    "Codes",
    "Composition",
    "Constant",
    "Dynamic",
    "Match",
    "Matcher",
    "Move",
    "NotLowerableError",
    "QParams",
    "Shapes",
    "arrange",
    "chain",
    "check_activation",
    "check_bias",
    "check_weight",
    "checked_weight",
    "clamp_codes",
    "constant",
    "constant_nodes",
    "emit_requantize",
    "emit_rescale",
    "find_compositions",
    "finish",
    "flat_shape",
    "is_dequantize",
    "is_dynamic",
    "is_quantize",
    "layer_of",
    "lower",
    "lower_rescale",
    "lower_table",
    "move_or_rescale",
    "moves",
    "operator_name",
    "same_params",
    "table_primitive",
    "turn_of",
    "warn_of_factors",
    "weight_zero_points",
]

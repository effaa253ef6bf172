"""Bit-exact models of accelerator primitives: arrays in, arrays out.

A leaf package: NumPy and Numba only. Every primitive's module holds its contract, its definition in
Python integers (``reference``), its kernels and its public function, in this order.

The functions are named like their modules; a module is reached by
``from hw_models.requantize import reference``.
"""

from __future__ import annotations

from hw_models.activation import clamp, relu, relu6
from hw_models.add import AlignedAdd, FloatAdd, MultiplierAdd, ShiftedAdd, add
from hw_models.argmax import argmax
from hw_models.bias_add import bias_add
from hw_models.correlation import CorrelationPlan, correlation, correlation_plan
from hw_models.dequantize import dequantize
from hw_models.dynamic.choose_qparams import QParamsRule, choose_qparams
from hw_models.dynamic.dequantize_sums import dequantize_sums
from hw_models.dynamic.linear_groups import linear_groups
from hw_models.dynamic.linear_pairs import linear_pairs
from hw_models.dynamic.min_max import min_max
from hw_models.embedding import embedding
from hw_models.errors import (
    AccumulatorOverflowError,
    CachePositionError,
    ContractError,
    IndexRangeError,
    NonFiniteError,
)
from hw_models.extremum import maximum, minimum
from hw_models.float32.arithmetic import float_add, float_mul
from hw_models.float32.dynamic_matmul import dynamic_matmul
from hw_models.float32.functions import float_function
from hw_models.float32.layer_norm import float_layer_norm
from hw_models.float32.matmul import float_matmul
from hw_models.float32.softmax import float_softmax
from hw_models.float_requantize import FLOAT_BIAS_KINDS, FloatBias, float_requantize
from hw_models.floats import FLOAT32, FloatFormat, Format
from hw_models.formats import Accumulator, FixedFormat
from hw_models.integer_function import (
    Exponential,
    ExpSigmoid,
    ExpSilu,
    IbertExp,
    IbertGelu,
    NewtonReciprocal,
    NewtonRsqrt,
    integer_function,
)
from hw_models.interpolation import interpolate, interpolation_table
from hw_models.ledger import Ledger, Register
from hw_models.linear import LinearPlan, linear, linear_plan
from hw_models.lookup import lookup
from hw_models.matmul import matmul
from hw_models.mean import Division, mean, over_count
from hw_models.moves.concat import concat
from hw_models.moves.gather import gather
from hw_models.moves.pad import pad
from hw_models.moves.strided_slice import strided_slice
from hw_models.mul import mul
from hw_models.norms.group_norm import group_norm, instance_norm
from hw_models.norms.layer_norm import IntegerNorm, layer_norm
from hw_models.norms.rms_norm import rms_norm
from hw_models.pools.avg_pool import adaptive_avg_pool, avg_pool, global_avg_pool
from hw_models.pools.max_pool import adaptive_max_pool, global_max_pool, max_pool
from hw_models.prelu import prelu
from hw_models.quantize import quantize
from hw_models.requantize import RequantizePlan, requantize, requantize_plan
from hw_models.resize import ScaledResize, SizedResize, resize
from hw_models.rotary import rotary, rotary_tables
from hw_models.rounding import ROUNDINGS, round_shift
from hw_models.schemes import (
    Converter,
    FixedPoint,
    Float64Scale,
    FloatScale,
    MulAddShift,
    PowerOfTwo,
    Requantizer,
)
from hw_models.shift import shift_right
from hw_models.softmax import FixedSoftmax, FloatSoftmax, IbertSoftmax, TableSoftmax, softmax
from hw_models.states.cache_write import cache_write
from hw_models.sub import sub
from hw_models.tables import TableArithmetic, table, unit_table
from hw_models.transposed_correlation import (
    TransposedCorrelationPlan,
    transposed_correlation,
    transposed_correlation_plan,
)

__all__ = [
    "FLOAT32",
    "FLOAT_BIAS_KINDS",
    "ROUNDINGS",
    "Accumulator",
    "AccumulatorOverflowError",
    "AlignedAdd",
    "CachePositionError",
    "ContractError",
    "Converter",
    "CorrelationPlan",
    "Division",
    "ExpSigmoid",
    "ExpSilu",
    "Exponential",
    "FixedFormat",
    "FixedPoint",
    "FixedSoftmax",
    "Float64Scale",
    "FloatAdd",
    "FloatBias",
    "FloatFormat",
    "FloatScale",
    "FloatSoftmax",
    "Format",
    "IbertExp",
    "IbertGelu",
    "IbertSoftmax",
    "IndexRangeError",
    "IntegerNorm",
    "Ledger",
    "LinearPlan",
    "MulAddShift",
    "MultiplierAdd",
    "NewtonReciprocal",
    "NewtonRsqrt",
    "NonFiniteError",
    "PowerOfTwo",
    "QParamsRule",
    "Register",
    "RequantizePlan",
    "Requantizer",
    "ScaledResize",
    "ShiftedAdd",
    "SizedResize",
    "TableArithmetic",
    "TableSoftmax",
    "TransposedCorrelationPlan",
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "add",
    "argmax",
    "avg_pool",
    "bias_add",
    "cache_write",
    "choose_qparams",
    "clamp",
    "concat",
    "correlation",
    "correlation_plan",
    "dequantize",
    "dequantize_sums",
    "dynamic_matmul",
    "embedding",
    "float_add",
    "float_function",
    "float_layer_norm",
    "float_matmul",
    "float_mul",
    "float_requantize",
    "float_softmax",
    "gather",
    "global_avg_pool",
    "global_max_pool",
    "group_norm",
    "instance_norm",
    "integer_function",
    "interpolate",
    "interpolation_table",
    "layer_norm",
    "linear",
    "linear_groups",
    "linear_pairs",
    "linear_plan",
    "lookup",
    "matmul",
    "max_pool",
    "maximum",
    "mean",
    "min_max",
    "minimum",
    "mul",
    "over_count",
    "pad",
    "prelu",
    "quantize",
    "relu",
    "relu6",
    "requantize",
    "requantize_plan",
    "resize",
    "rms_norm",
    "rotary",
    "rotary_tables",
    "round_shift",
    "shift_right",
    "softmax",
    "strided_slice",
    "sub",
    "table",
    "transposed_correlation",
    "transposed_correlation_plan",
    "unit_table",
]

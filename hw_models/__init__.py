"""Bit-exact models of accelerator primitives: arrays in, arrays out.

A leaf package: NumPy and Numba only. Every primitive's module holds its contract, its definition in
Python integers (``reference``), its kernels and its public function, in this order.

The functions are named like their modules; a module is reached by
``from hw_models.requantize import reference``.
"""

from __future__ import annotations

from hw_models.activation import clamp, relu, relu6
from hw_models.add import AlignedAdd, FloatAdd, MultiplierAdd, ShiftedAdd, add
from hw_models.avg_pool import avg_pool, global_avg_pool
from hw_models.bias_add import bias_add
from hw_models.correlation import CorrelationPlan, correlation, correlation_plan
from hw_models.dequantize import dequantize
from hw_models.errors import AccumulatorOverflowError, ContractError
from hw_models.float_requantize import FLOAT_BIAS_KINDS, FloatBias, float_requantize
from hw_models.formats import Accumulator, FixedFormat
from hw_models.ledger import Ledger
from hw_models.linear import LinearPlan, linear, linear_plan
from hw_models.lookup import lookup
from hw_models.matmul import matmul
from hw_models.max_pool import max_pool
from hw_models.quantize import quantize
from hw_models.requantize import RequantizePlan, requantize, requantize_plan
from hw_models.rounding import ROUNDINGS, round_shift
from hw_models.schemes import FixedPoint, FloatScale, PowerOfTwo, Requantizer

__all__ = [
    "FLOAT_BIAS_KINDS",
    "ROUNDINGS",
    "Accumulator",
    "AccumulatorOverflowError",
    "AlignedAdd",
    "ContractError",
    "CorrelationPlan",
    "FixedFormat",
    "FixedPoint",
    "FloatAdd",
    "FloatBias",
    "FloatScale",
    "Ledger",
    "LinearPlan",
    "MultiplierAdd",
    "PowerOfTwo",
    "RequantizePlan",
    "Requantizer",
    "ShiftedAdd",
    "add",
    "avg_pool",
    "bias_add",
    "clamp",
    "correlation",
    "correlation_plan",
    "dequantize",
    "float_requantize",
    "global_avg_pool",
    "linear",
    "linear_plan",
    "lookup",
    "matmul",
    "max_pool",
    "quantize",
    "relu",
    "relu6",
    "requantize",
    "requantize_plan",
    "round_shift",
]

"""The words of a target: what its fields may say, and the primitives that it may have."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, assert_never

Scheme: TypeAlias = Literal["asymmetric", "symmetric", "power_of_two"]
Overflow: TypeAlias = Literal["wrap", "saturate", "saturate_symmetric", "error"]
At: TypeAlias = Literal["sum", "mac"]
Order: TypeAlias = Literal["channel_first", "channel_last"]
BiasScale: TypeAlias = Literal["accumulator", "power_of_two"]
RequantizeScheme: TypeAlias = Literal[
    "fixed_point", "power_of_two", "float_scale", "float64_scale", "mul_add_shift", "converter"
]
# The names of hw_models.schemes.FIXED_REFERENCES, which a test compares.
FixedRounding: TypeAlias = Literal[
    "double", "single", "double-half-up", "s64-reduced", "tosa-single", "tosa-double"
]
# The names of hw_models.ROUNDINGS, which a test compares: importing them would load Numba.
DivisionRounding: TypeAlias = Literal[
    "floor",
    "ceil",
    "toward_zero",
    "away",
    "half_up",
    "half_down",
    "half_away",
    "half_toward_zero",
    "half_even",
    "half_odd",
]
DeterministicRounding: TypeAlias = Literal[DivisionRounding, "jam"]
ShiftRounding: TypeAlias = Literal[DeterministicRounding, "stochastic"]
RequantizeRounding: TypeAlias = Literal[FixedRounding, ShiftRounding]
AddRounding: TypeAlias = Literal["requantize", FixedRounding, ShiftRounding]
Derive: TypeAlias = Literal["float64", "float32"]
PadValue: TypeAlias = Literal["zero_point", "zero"]
Formula: TypeAlias = Literal[
    "torch", "executorch", "onnx", "tflite", "fbgemm", "torch-per-token", "torch-per-group"
]
# The names of hw_models.dynamic.choose_qparams.CHOICES, which a test compares.
Choice: TypeAlias = Literal[
    "torch", "fbgemm", "executorch", "onnx", "power-of-two", "torch-per-token", "no-clipping"
]
RowOrder: TypeAlias = Literal["product", "row_first", "row_last"]
Granularity: TypeAlias = Literal["tensor", "token"]
FloatProducts: TypeAlias = Literal["float", "dynamic"]
RecurrentKernel: TypeAlias = Literal["tflite-micro", "cmsis-nn", "litert"]
SoftmaxRounding: TypeAlias = Literal["floor", "half_up"]
AddFormula: TypeAlias = Literal[
    "shifted", "aligned", "float_torch", "float_onnxruntime", "multiplier", "none"
]
PrimitiveName: TypeAlias = Literal[
    "correlation",
    "matmul",
    "bias_add",
    "requantize",
    "add",
    "clamp",
    "max_pool",
    "avg_pool",
    "reshape",
    "permute",
    "strided_slice",
    "gather",
    "transposed_correlation",
    "sub",
    "mul",
    "minimum",
    "maximum",
    "concat",
    "pad",
    "mean",
    "argmax",
    "shift_right",
    "lookup",
    "interpolate",
    "softmax",
    "resize",
    "resize_scaled",
    "prelu",
    "min_max",
    "choose_scale",
    "choose_zero_point",
    "quantize",
    "dequantize",
    "dequantize_sums",
    "linear_pairs",
    "linear_groups",
    "layer_norm",
    "group_norm",
    "rms_norm",
    "rotary",
    "integer_function",
    "embedding",
    "masked_softmax",
    "cache_write",
    "float_add",
    "float_mul",
    "float_function",
    "float_softmax",
    "float_layer_norm",
    "float_matmul",
    "dynamic_matmul",
]

# What [floats] is made of, beside the products.
FLOAT_PRIMITIVES: Final[tuple[PrimitiveName, ...]] = (
    "float_add",
    "float_mul",
    "float_function",
    "float_softmax",
    "float_layer_norm",
)

# What quantizing at run time, the product and its way back to float32 are made of.
DYNAMIC_PRIMITIVES: Final[tuple[PrimitiveName, ...]] = (
    "min_max",
    "choose_scale",
    "choose_zero_point",
    "quantize",
    "correlation",
    "dequantize_sums",
)


def schemes_within(scheme: Scheme) -> tuple[Scheme, ...]:
    """Return the schemes whose tensors are also tensors of this one.

    A datapath with a zero point can run symmetric codes; one that only shifts can do nothing else.
    """
    match scheme:
        case "power_of_two":
            return ("power_of_two",)
        case "symmetric":
            return ("power_of_two", "symmetric")
        case "asymmetric":
            return ("power_of_two", "symmetric", "asymmetric")
        case _:
            assert_never(scheme)


def has_zero_point(scheme: Scheme) -> bool:
    """Return whether the code of real 0 is another than 0."""
    match scheme:
        case "asymmetric":
            return True
        case "symmetric" | "power_of_two":
            return False
        case _:
            assert_never(scheme)

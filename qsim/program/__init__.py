"""Integer-only networks: calls of primitives on named tensors."""

from __future__ import annotations

from qsim.program.attributes import (
    INT64,
    MAX_DEPTH,
    MAX_RANK,
    Array,
    Json,
    accumulator_from_json,
    accumulator_to_json,
    any_format_from_json,
    check_keys,
    check_name,
    check_names,
    check_scale,
    check_shape,
    format_from_json,
    format_to_json,
    is_int,
    json_object,
    resolve,
    to_json,
)
from qsim.program.bindings import dims, pairs
from qsim.program.calls import Call, Observer, TensorSpec
from qsim.program.data import ProgramData
from qsim.program.liveness import last_uses, live_ranges
from qsim.program.primitives import PRIMITIVES
from qsim.program.program import Program
from qsim.program.schemes import decode_scheme, encode_scheme
from qsim.program.values import (
    Refused,
    as_array,
    check_input,
    check_output,
    check_range,
    contiguous,
    in_native_order,
    is_tensor,
    present,
    show_shape,
    to_numpy,
    to_tensor,
)

__all__ = [
    "INT64",
    "MAX_DEPTH",
    "MAX_RANK",
    "PRIMITIVES",
    "Array",
    "Call",
    "Json",
    "Observer",
    "Program",
    "ProgramData",
    "Refused",
    "TensorSpec",
    "accumulator_from_json",
    "accumulator_to_json",
    "any_format_from_json",
    "as_array",
    "check_input",
    "check_keys",
    "check_name",
    "check_names",
    "check_output",
    "check_range",
    "check_scale",
    "check_shape",
    "contiguous",
    "decode_scheme",
    "dims",
    "encode_scheme",
    "format_from_json",
    "format_to_json",
    "in_native_order",
    "is_int",
    "is_tensor",
    "json_object",
    "last_uses",
    "live_ranges",
    "pairs",
    "present",
    "resolve",
    "show_shape",
    "to_json",
    "to_numpy",
    "to_tensor",
]

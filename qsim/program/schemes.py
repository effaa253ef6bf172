"""Requantizers and adders as JSON: the ``scheme`` attribute of a call.

``{"kind": "fixed_point", "multiplier": 1073741824, "right_shift": 37, "rounding": "double",
"bits": 32}``. A parameter per channel is a constant: ``{"constant": "conv1.multiplier"}``. A part
that is a scheme itself (the rescales of a TFLite addition) is a nested object.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.errors import ModelError
from qsim.program.attributes import Array, Constants, Json, constant, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping


@functools.cache
def kinds() -> dict[str, type]:
    """Return every scheme class by the name that files use."""
    from hw_models import Accumulator
    from hw_models.add import AlignedAdd, FloatAdd, MultiplierAdd, ShiftedAdd
    from hw_models.integer_function import (
        Exponential,
        ExpSigmoid,
        ExpSilu,
        IbertExp,
        IbertGelu,
        NewtonReciprocal,
        NewtonRsqrt,
    )
    from hw_models.mean import Division
    from hw_models.norms.layer_norm import IntegerNorm
    from hw_models.schemes import (
        Converter,
        FixedPoint,
        Float64Scale,
        FloatScale,
        MulAddShift,
        PowerOfTwo,
    )
    from hw_models.softmax import FixedSoftmax, FloatSoftmax, IbertSoftmax, TableSoftmax

    return {
        "accumulator": Accumulator,
        "aligned_add": AlignedAdd,
        "converter": Converter,
        "division": Division,
        "exp_sigmoid": ExpSigmoid,
        "exp_silu": ExpSilu,
        "exponential": Exponential,
        "fixed_point": FixedPoint,
        "fixed_softmax": FixedSoftmax,
        "float64_scale": Float64Scale,
        "float_add": FloatAdd,
        "float_scale": FloatScale,
        "float_softmax": FloatSoftmax,
        "ibert_exp": IbertExp,
        "ibert_gelu": IbertGelu,
        "ibert_softmax": IbertSoftmax,
        "integer_norm": IntegerNorm,
        "mul_add_shift": MulAddShift,
        "multiplier_add": MultiplierAdd,
        "newton_reciprocal": NewtonReciprocal,
        "newton_rsqrt": NewtonRsqrt,
        "power_of_two": PowerOfTwo,
        "shifted_add": ShiftedAdd,
        "table_softmax": TableSoftmax,
    }


REQUANTIZERS = (
    "converter",
    "fixed_point",
    "float64_scale",
    "float_scale",
    "mul_add_shift",
    "power_of_two",
)
AVERAGERS = ("division", *REQUANTIZERS)
FUNCTIONS = (
    "exp_sigmoid",
    "exp_silu",
    "ibert_exp",
    "ibert_gelu",
    "newton_reciprocal",
    "newton_rsqrt",
)
NORMS = ("integer_norm",)
SOFTMAXES = ("fixed_softmax", "float_softmax", "ibert_softmax", "table_softmax")
ADDERS = ("aligned_add", "float_add", "multiplier_add", "shifted_add")


def _parameters(cls: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls) if field.init)


def encode_scheme(scheme: Any, prefix: str, constants: MutableMapping[str, Array]) -> Json:
    """Return a scheme object as JSON; its arrays go into constants as ``prefix.parameter``.

    Raises:
        ModelError: not a scheme that files know.
    """
    kind = next((name for name, cls in kinds().items() if type(scheme) is cls), None)
    if kind is None:
        raise ModelError.of("a scheme must be one that files know", scheme, ", ".join(kinds()))
    document: dict[str, Json] = {"kind": kind}
    for name in _parameters(type(scheme)):
        value = getattr(scheme, name)
        key = f"{prefix}.{name}"
        if dataclasses.is_dataclass(value):
            document[name] = encode_scheme(value, key, constants)
        elif isinstance(value, (tuple, list, np.ndarray)):
            constants[key] = _array(value)
            document[name] = {"constant": key}
        else:
            document[name] = to_json(value)
    return document


def _array(value: Any) -> Array:
    """Store integers in 64 bits; floats are fp32 values, kept as fp32 when that is exact."""
    array = np.asarray(value)
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    narrow = array.astype(np.float32)
    return narrow if np.array_equal(narrow, array) else array.astype(np.float64)


def decode_scheme(document: Any, constants: Constants) -> Any:
    """Return the scheme object that the JSON describes.

    Raises:
        ModelError: unknown kind or parameter, or a value that the scheme does not accept.
    """
    kind = document.get("kind") if isinstance(document, dict) else None
    cls = kinds().get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ModelError.of("a scheme must name its kind", kind, ", ".join(kinds()))
    names = _parameters(cls)
    if set(document) != {"kind", *names}:
        raise ModelError.of(
            f"a scheme {kind} must have its parameters", sorted(document), ", ".join(names)
        )
    values = {name: _decode(document[name], constants) for name in names}
    try:
        return cls(**values)
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        raise ModelError(f"scheme {kind}: {error}") from None


def _decode(value: Any, constants: Constants) -> Any:
    if isinstance(value, list):
        raise ModelError.of(
            "a parameter per channel must be a constant", value, '{"constant": name}'
        )
    if not isinstance(value, dict):
        return value
    if set(value) == {"constant"}:
        array = constant(value, constants)
        if array.ndim != 1:
            raise ModelError.of(
                "a parameter per channel must be 1-D", array.shape, "one value per channel"
            )
        return tuple(array.tolist())
    return decode_scheme(value, constants)


def scheme_of(*accepted: str) -> Callable[[Any, Constants], Any]:
    """Return a check that accepts a scheme of the kinds named, and its decoder at once."""

    def check(value: Any, constants: Constants) -> Any:
        scheme = decode_scheme(value, constants)
        if value["kind"] not in accepted:
            raise ModelError.of(
                "a scheme must be of an accepted kind", value["kind"], ", ".join(accepted)
            )
        return scheme

    return check

"""Under which contract a primitive is called, and under which one a target has it.

A contract is what decides the integers beside the operands: formats, the register of sums, the kind
of scheme with its roundings; not the numbers that scales give. Where a call's contract equals the
target's, both compute the same function.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

import hw_models as hw
from hw_models.mean import over_count
from qsim.lowering import QParams
from qsim.lowering.tables import arithmetic
from qsim.patterns.curves import softmax as softmaxes
from qsim.target import Target, derive
from qsim.target.optional import Dynamic, Floats

Contract: TypeAlias = tuple[Any, ...]
Arguments: TypeAlias = Mapping[str, Any]
# Fields of schemes that no scale decides.
CHOSEN = ("rounding", "bits", "formula", "left_shift", "mode", "accumulator")
SCALES = (0.125, 0.25, 0.5)
# Primitives that choose among codes; what comes out is what went in.
COPIED = (
    *("max_pool", "minimum", "maximum", "argmax", "clamp"),
    *("strided_slice", "gather", "embedding"),
)
# No function of hw_models is one of these: they are compared in Programs alone.
IN_PROGRAMS = ("reshape", "permute", "lstm_cell")


def of_codes(array: Any) -> Contract:
    """Return the container of codes: bits and sign."""
    dtype = np.asarray(array).dtype
    return dtype.itemsize * 8, dtype.kind == "i"


def container(form: hw.FixedFormat) -> Contract:
    return of_codes(np.empty(0, form.dtype))


def of_format(form: hw.FixedFormat | None) -> Contract:
    return (form.bits, form.signed) if form is not None else ()


def register(accumulator: hw.Accumulator) -> Contract:
    """Return what a register of sums does; when it saturates, only saturation can tell."""
    saturates = accumulator.overflow.startswith("saturate")
    late = (accumulator.at, accumulator.order) if saturates else ()
    return accumulator.bits, accumulator.overflow, *late


def of_scheme(scheme: Any) -> Contract:
    """Return a scheme's kind and what was chosen of it, without the numbers that scales gave."""
    chosen: list[Any] = [type(scheme).__name__]
    for field in dataclasses.fields(scheme) if dataclasses.is_dataclass(scheme) else ():
        value = getattr(scheme, field.name)
        if isinstance(value, hw.Accumulator):
            chosen.append(register(value))
        elif dataclasses.is_dataclass(value):
            chosen.append(of_scheme(value))
        elif field.name in CHOSEN:
            chosen.append((field.name, value))
    return tuple(chosen)


def of_rule(rule: hw.QParamsRule) -> Contract:
    """Return how parameters follow from a range; which values share one is the caller's choice."""
    return rule.formula, rule.low, rule.high, rule.symmetric


def _sum(x: str, weight: str) -> Callable[[Arguments], Contract]:
    return lambda a: (of_codes(a[x]), of_codes(a[weight]), register(a["accumulator"]))


def _rescaled(scheme: str) -> Callable[[Arguments], Contract]:
    return lambda a: (of_scheme(a[scheme]), of_format(a["output"]))


def _moved(x: str) -> Callable[[Arguments], Contract]:
    return lambda a: of_codes(a[x])


def _joined(a: Arguments) -> Contract:
    schemes = a["requantizers"]
    kinds = {of_scheme(s) for s in schemes} if schemes is not None else set()
    return tuple(sorted(kinds)), of_format(a["output"])


# What a call of each public function is, from its arguments by name, defaults included.
CALLS: dict[str, tuple[str, Callable[[Arguments], Contract]]] = {
    "correlation": ("correlation", _sum("x", "weight")),
    "linear": ("linear", _sum("x", "weight")),
    "matmul": ("matmul", _sum("a", "b")),
    "transposed_correlation": ("transposed_correlation", _sum("x", "weight")),
    "bias_add": ("bias_add", lambda a: register(a["accumulator"])),
    "requantize": ("requantize", _rescaled("requantizer")),
    "mul": ("mul", _rescaled("requantizer")),
    "prelu": ("prelu", _rescaled("negative")),
    "mean": ("mean", _rescaled("averager")),
    "add": ("add", _rescaled("adder")),
    "sub": ("sub", _rescaled("adder")),
    "softmax": ("softmax", _rescaled("scheme")),
    "concat": ("concat", _joined),
    "avg_pool": ("avg_pool", lambda a: (of_codes(a["x"]), a["rounding"], a["centered"])),
    "max_pool": ("max_pool", _moved("x")),
    "strided_slice": ("strided_slice", _moved("x")),
    "gather": ("gather", _moved("x")),
    "cache_write": ("cache_write", _moved("cache")),
    "embedding": ("embedding", _moved("table")),
    "minimum": ("minimum", _moved("a")),
    "maximum": ("maximum", _moved("a")),
    "argmax": ("argmax", _moved("x")),
    "clamp": ("clamp", _moved("x")),
    "pad": ("pad", lambda a: (of_codes(a["x"]), a["mode"])),
    "resize": ("resize", lambda a: (type(a["scheme"]).__name__, of_codes(a["x"]))),
    "lookup": ("lookup", lambda a: ("entries", of_format(a["input"]), of_format(a["output"]))),
    "table": ("lookup", lambda a: (a["arithmetic"], of_format(a["input"]), of_format(a["output"]))),
    "unit_table": ("lookup", lambda a: (of_scheme(a["unit"]), of_format(a["input"]))),
    "interpolate": ("interpolate", lambda a: (a["result"], of_codes(a["x"]))),
    "shift_right": ("shift_right", lambda a: (a["rounding"], of_format(a["output"]))),
    "quantize": ("quantize", lambda a: (a["formula"], of_format(a["output"]))),
    "dequantize": ("dequantize", lambda a: of_codes(a["q"])),
    "choose_qparams": ("choose_qparams", lambda a: of_rule(a["rule"])),
    "dequantize_sums": ("dequantize_sums", lambda a: ("fused", a["fused"], a["order"])),
    "float_add": ("float_add", lambda _: ("float32",)),
    "float_mul": ("float_mul", lambda _: ("float32",)),
    "float_function": ("float_function", lambda _: ("float32",)),
    "float_softmax": ("float_softmax", lambda a: ("lanes", a["lanes"])),
    "float_layer_norm": ("float_layer_norm", lambda a: ("lanes", a["lanes"])),
    "float_matmul": ("float_matmul", lambda a: ("fused", a["fused"])),
    "dynamic_matmul": ("dynamic_matmul", lambda a: register(a["accumulator"])),
    "float_requantize": ("float_requantize", lambda a: of_scheme(a["scheme"])),
}


def of_target(target: Target, primitive: str) -> Contract:
    """Return the contract under which a target has a primitive.

    Raises:
        KeyError: nobody has said yet what it is, and no test can be about it on a target.
    """
    x, w, y = target.input.format, target.weight.format, target.output.format
    if primitive in ("correlation", "linear", "transposed_correlation"):
        return container(x), container(w), register(target.correlation.accumulator)
    if primitive == "matmul":
        return container(x), container(x), register(target.correlation.accumulator)
    if primitive == "bias_add":
        return register(target.sum.accumulator)
    if primitive in COPIED:
        return container(x)
    return TARGETS[primitive](target, y)


def _requantizer(operator: str) -> Callable[[Target, hw.FixedFormat], Contract]:
    return lambda t, y: (
        of_scheme(derive.requantizer(t, *SCALES, operator=operator)),
        of_format(y),
    )


def _adder(target: Target, y: hw.FixedFormat) -> Contract:
    return of_scheme(derive.adder(target, *SCALES)), of_format(y)


def _mean(target: Target, y: hw.FixedFormat) -> Contract:
    scheme: Any = derive.requantizer(target, 0.125, 1.0, 0.125)
    own = isinstance(scheme, hw.FixedPoint) and not target.requantize.rounding.startswith("tosa")
    return of_scheme(over_count(scheme, 4) if own else scheme), of_format(y)


def _softmax(target: Target, y: hw.FixedFormat) -> Contract:
    params = QParams(2.0**-y.bits, y.min, y)
    scheme, made = softmaxes._scheme(target, dataclasses.replace(params, zero_point=0), params)
    return of_scheme(scheme), of_format(made.format)


def _dynamic(target: Target) -> Dynamic:
    if target.dynamic is None:
        raise KeyError(f"{target.name} quantizes nothing at run time")
    return target.dynamic


def _rule(target: Target, _: hw.FixedFormat) -> Contract:
    d = _dynamic(target)
    return of_rule(hw.QParamsRule(d.formula, d.format.min, d.format.max, d.symmetric))


def _quantize(target: Target, _: hw.FixedFormat) -> Contract:
    d = target.dynamic
    if d is None:
        return target.quantize.formula, of_format(target.input.format)
    # In Programs; what is quantized ahead of them is no primitive's call.
    return d.quantize, of_format(d.format)


def _floats(target: Target) -> Floats:
    if target.floats is None:
        raise KeyError(f"{target.name} computes nothing in float32")
    return target.floats


TARGETS: dict[str, Callable[[Target, hw.FixedFormat], Contract]] = {
    **{
        name: lambda t, _: ("float32",) if _floats(t) else ()
        for name in ("float_add", "float_mul", "float_function")
    },
    "float_softmax": lambda t, _: ("lanes", _floats(t).softmax_lanes),
    "float_layer_norm": lambda t, _: ("lanes", _floats(t).norm_lanes),
    "float_matmul": lambda t, _: ("fused", _floats(t).products == "float"),
    "dynamic_matmul": lambda t, _: register(t.correlation.accumulator),
    "requantize": _requantizer(""),
    "requantize_linear": _requantizer("linear"),
    "mul": _requantizer("mul"),
    "prelu": _requantizer("mul"),
    "concat": lambda t, y: ((of_scheme(derive.requantizer(t, 0.5, 1.0, 0.25)),), of_format(y)),
    "add": _adder,
    "sub": _adder,
    "mean": _mean,
    "softmax": _softmax,
    "avg_pool": lambda t, y: (container(y), t.avg_pool.rounding, t.avg_pool.centered),
    "pad": lambda _, y: (container(y), "constant"),
    "resize": lambda _, y: (hw.SizedResize.__name__, container(y)),
    "resize_scaled": lambda _, y: (hw.ScaledResize.__name__, container(y)),
    "lookup": lambda t, y: (arithmetic(t), of_format(t.input.format), of_format(y)),
    "quantize": _quantize,
    "min_max": _rule,
    "choose_scale": _rule,
    "choose_zero_point": _rule,
    # Of sums, where products of two activations are quantized at run time.
    "dequantize": lambda t, _: container(
        t.correlation.accumulator.format if t.floats is not None else t.input.format
    ),
    "dequantize_sums": lambda t, _: ("fused", _dynamic(t).fused, _dynamic(t).order),
}

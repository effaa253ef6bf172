"""The definitions of what is computed in float32 around products, for ``reference``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hw_models.dequantize import reference as dequantize_one
from hw_models.dynamic.choose_qparams import QParamsRule
from hw_models.dynamic.choose_qparams import reference as choose_one
from hw_models.dynamic.dequantize_sums import reference as dequantize_sum
from hw_models.dynamic.dequantize_sums import reference_row_first as row_first
from hw_models.dynamic.min_max import reference as ends_of
from hw_models.quantize import reference as quantize_one
from qsim.program.program import Program
from tests.qsim.program.reading import fixed_format

Array = np.ndarray[Any, Any]
Definition = Callable[[Sequence[Array], dict[str, Any], Program, Any], Array]


def _min_max(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    del program, book
    reduced = {axis % x[0].ndim for axis in a["axes"]}
    shape = [1 if axis in reduced else size for axis, size in enumerate(x[0].shape)]
    result = np.empty((*shape, 2), np.float32)
    for index in np.ndindex(*shape):
        row = x[0][tuple(slice(None) if i in reduced else at for i, at in enumerate(index))]
        result[index] = ends_of([float(value) for value in row.reshape(-1)])
    return result


def _choice(part: int, kind: type[np.generic]) -> Definition:
    def define(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
        del program, book
        rule = QParamsRule(**a)
        result = np.empty(x[0].shape[:-1], kind)
        for index in np.ndindex(*result.shape):
            low, high = x[0][index]
            result[index] = choose_one(float(low), float(high), rule)[part]
        return result

    return define


def _spread(x: Sequence[Array]) -> list[list[Any]]:
    """Return values, scales and zero points, one of each for every element."""
    return [np.broadcast_to(part, x[0].shape).reshape(-1).tolist() for part in x]


def _quantize(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    del program, book
    rest = fixed_format(a["output"]), a["formula"], a.get("non_finite", "refuse")
    made = [quantize_one(*one, *rest) for one in zip(*_spread(x), strict=True)]
    return np.array(made, np.int64).reshape(x[0].shape)


def _dequantize(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    del program, book
    made = [dequantize_one(*one, a["formula"]) for one in zip(*_spread(x), strict=True)]
    return np.array(made, np.float32).reshape(x[0].shape)


def _sums(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    del program, book
    outputs = x[0].shape[-1]
    factors, sums, added = (
        None if a[name] is None else np.broadcast_to(a[name], outputs)
        for name in ("weight_scale", "weight_sum", "bias")
    )
    assert factors is not None
    assert sums is not None
    result = np.empty(x[0].shape, np.float32)
    scales, zeros = (np.broadcast_to(part, result.shape) for part in x[1:])
    for index in np.ndindex(*result.shape):
        o = index[-1]
        total = int(x[0][index]) - int(zeros[index]) * int(sums[o])
        bias = None if added is None else float(added[o])
        scale, factor = float(scales[index]), float(factors[o])
        if a.get("order") == "row_first":
            zero, numbers = int(zeros[index]), (scale, factor, bias)
            result[index] = row_first(int(x[0][index]), zero, int(sums[o]), *numbers)
            continue
        result[index] = dequantize_sum(total, scale, factor, bias, fused=a["fused"])
    return result


DYNAMIC_DEFINITIONS: dict[str, Definition] = {
    "min_max": _min_max,
    "choose_scale": _choice(0, np.float32),
    "choose_zero_point": _choice(1, np.int64),
    "quantize": _quantize,
    "dequantize": _dequantize,
    "dequantize_sums": _sums,
}

"""The definitions of operators on float32 values, for ``reference``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import hw_models as hw
from hw_models.float32 import layer_norm, matmul, softmax
from hw_models.float32.arithmetic import add_reference, mul_reference
from hw_models.float32.functions import REFERENCES
from hw_models.linear import reference as multiply
from qsim.program.program import Program

Array = np.ndarray[Any, Any]
Definition = Callable[[Sequence[Array], dict[str, Any], Program, Any], Array]


def _pairs(define: Callable[[float, float], float]) -> Definition:
    def made(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
        del a, program, book
        left, right = np.broadcast_arrays(*x)
        values = zip(left.reshape(-1).tolist(), right.reshape(-1).tolist(), strict=True)
        return np.array([define(*one) for one in values], np.float32).reshape(left.shape)

    return made


def _function(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    del program, book
    values = map(REFERENCES[a["function"]], x[0].reshape(-1).tolist())
    return np.array([*values], np.float32).reshape(x[0].shape)


def _rows(x: Array, dims: int, define: Callable[[list[float]], list[float]]) -> Array:
    table = x.reshape(*x.shape[: x.ndim - dims], -1)
    rows = [define(row) for row in table.reshape(-1, table.shape[-1]).tolist()]
    return np.array(rows, np.float32).reshape(x.shape)


def _softmax(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    del program, book
    return _rows(x[0], 1, lambda row: softmax.reference(row, a["lanes"]))


def _layer_norm(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    del program, book
    weight, bias = (
        None if a[name] is None else a[name].reshape(-1).tolist() for name in ("weight", "bias")
    )
    eps = float(np.float32(a["eps"]))
    return _rows(
        x[0], a["dims"], lambda row: layer_norm.reference(row, weight, bias, eps, a["lanes"])
    )


def _spread(x: Sequence[Array]) -> tuple[Array, Array, Array]:
    batch = np.broadcast_shapes(x[0].shape[:-2], x[1].shape[:-2])
    left, right = (np.broadcast_to(part, (*batch, *part.shape[-2:])) for part in x[:2])
    return left, right, np.zeros((*batch, left.shape[-2], right.shape[-1]), np.float32)


def _matmul(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    del program, book
    left, right, made = _spread(x)
    for index in np.ndindex(*made.shape):
        row, column = left[index[:-1]], right[(*index[:-2], slice(None), index[-1])]
        made[index] = matmul.reference(row.tolist(), column.tolist(), fused=a["fused"])
    return made


def _dynamic(x: Sequence[Array], a: dict[str, Any], program: Program, book: Any) -> Array:
    del program
    left, right, made = _spread(x)
    result = made.astype(np.int64)
    for index in np.ndindex(*made.shape[:-2]):
        ledger = hw.Ledger()
        points = (int(point.reshape(())) for point in x[2:])
        accumulator = hw.Accumulator(**a["accumulator"])
        result[index] = multiply(left[index], right[index].T, *points, accumulator, ledger)
        book.take(ledger, lambda first, index=index: (*index, first[0], first[1]))
    return result


FLOAT_DEFINITIONS: dict[str, Definition] = {
    "float_add": _pairs(add_reference),
    "float_mul": _pairs(mul_reference),
    "float_function": _function,
    "float_softmax": _softmax,
    "float_layer_norm": _layer_norm,
    "float_matmul": _matmul,
    "dynamic_matmul": _dynamic,
}

"""One-operator TOSA graphs, run by the reference model of tosa-tools.

The model runs as a program of its own: its Python module neither takes nor returns 48-bit tensors.
TOSA's layout is [N, H, W, C]; ``nhwc`` and ``nchw`` turn arrays between it and ours.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import tosa_serializer as ts

Array = np.ndarray[Any, Any]
Attribute = Callable[[Any], None]

_STORAGE = {
    ts.DType.INT4: np.int8,
    ts.DType.INT8: np.int8,
    ts.DType.INT16: np.int16,
    ts.DType.INT32: np.int32,
    ts.DType.INT48: np.int64,
}
INT4, INT8, INT16, INT32, INT48 = _STORAGE


class RefusedError(Exception):
    """The model found a value that TOSA forbids: it calls the result unpredictable."""


@dataclass(frozen=True)
class Tensor:
    """An operand: fed at run time, or a constant of the graph."""

    values: Array
    dtype: Any
    fed: bool = False


def fed(values: Any, dtype: Any) -> Tensor:
    """Return an operand that the graph takes as input."""
    return Tensor(np.ascontiguousarray(values, _STORAGE[dtype]), dtype, fed=True)


def const(values: Any, dtype: Any) -> Tensor:
    """Return an operand that the graph holds; a scalar becomes one element."""
    array = np.ascontiguousarray(values, _STORAGE[dtype])
    return Tensor(np.atleast_1d(array), dtype)


def shape(values: Sequence[int]) -> Tensor:
    """Return an operand of TOSA's shape type."""
    return Tensor(np.asarray(values, np.int64), ts.DType.SHAPE)


def run(
    operator: str, operands: Sequence[Tensor], size: Sequence[int], dtype: Any, attribute: Attribute
) -> Array:
    """Build a graph of one operator and return what the model computes.

    Args:
        operator: TOSA's name of it.
        operands: in TOSA's order, one of them fed.
        size, dtype: of the result.
        attribute: sets the operator's attribute.

    Raises:
        RefusedError: TOSA requires of these values what they are not.
    """
    graph = ts.TosaSerializer("", constMode=ts.ConstMode.EMBED)
    names, feeds = [], {}
    for index, operand in enumerate(operands):
        name = f"operand{index}"
        sizes = list(operand.values.shape)
        if operand.fed:
            graph.addInputTensor(ts.TosaSerializerTensor(name, sizes, operand.dtype))
            feeds[name] = operand.values
        else:
            graph.addConst(sizes, operand.dtype, operand.values, name=name)
        names.append(name)
    result = graph.addOutput(list(size), dtype)
    attributes = ts.TosaSerializerAttribute()
    attribute(attributes)
    graph.addOperator(getattr(ts.Op, operator), names, [result.name], attributes)
    with tempfile.TemporaryDirectory() as folder:
        return _execute(Path(folder), bytes(graph.serialize()), feeds, result.name)


@cache
def _program() -> str:
    return os.fspath(distribution("tosa-tools").locate_file("bin/tosa_reference_model"))


def _execute(folder: Path, graph: bytes, feeds: dict[str, Array], output: str) -> Array:
    (folder / "graph.tosa").write_bytes(graph)
    for name, values in feeds.items():
        np.save(folder / f"{name}.npy", values)
    done = subprocess.run(
        [
            *(_program(), "--tosa_file", "graph.tosa", "--flatbuffer_dir", folder),
            *("--output_dir", folder, "--ofm_name", output, "--ofm_file", "result.npy"),
            *("--ifm_name", ",".join(feeds), "--ifm_file", ",".join(f"{n}.npy" for n in feeds)),
        ],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if "REQUIRE() fails" in done.stderr:
        raise RefusedError("; ".join(done.stderr.splitlines()[:2]))
    assert done.returncode == 0, "\n".join(done.stderr.splitlines()[:3])
    return np.load(folder / "result.npy")


def nhwc(x: Array) -> Array:
    """Return [N, C, H, W] as [N, H, W, C]."""
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def nchw(x: Array) -> Array:
    """Return [N, H, W, C] as [N, C, H, W]."""
    return np.moveaxis(x, -1, 1)


def codes(rng: np.random.Generator, dtype: Any, size: Any, kind: str = "any") -> Array:
    """Draw codes: anywhere in the type, or only its ends; TOSA's int4 has no -8."""
    bits = {INT4: 4, INT8: 8, INT16: 16, INT32: 32, INT48: 48}[dtype]
    low, high = -(1 << (bits - 1)) + (dtype == INT4), (1 << (bits - 1)) - 1
    if kind == "ends":
        return np.where(rng.integers(0, 2, size) == 1, low, high).astype(_STORAGE[dtype])
    return rng.integers(low, high, size, np.int64, endpoint=True).astype(_STORAGE[dtype])

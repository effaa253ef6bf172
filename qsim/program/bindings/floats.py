"""Bindings of operators on float32 values, in a stated order of steps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError
from qsim.program import attributes as check
from qsim.program import shapes
from qsim.program.bindings.binding import Attributes, Binding, Kernel, Operand, accumulated
from qsim.program.bindings.binding import per_sample as elements
from qsim.program.bindings.dynamic import holds, require_float

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hw_models import FixedFormat, Format, Ledger
    from qsim.program.attributes import Array, Constants

    Inferred = tuple[tuple[int, ...], Format]

_LANES: Final = (1, 2, 4, 8, 16, 32, 64)


def _infer_pair(operands: Sequence[Operand], attributes: Attributes) -> Inferred:
    del attributes
    a, b = operands
    require_float(a, "a")
    require_float(b, "b")
    return shapes.broadcast(a.shape, b.shape), a.format


def _prepare_add(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models import float_add

    del operands, attributes, constants
    return lambda arrays, ledger: float_add(arrays[0], arrays[1], ledger)


def _prepare_mul(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models import float_mul

    del operands, attributes, constants
    return lambda arrays, ledger: float_mul(arrays[0], arrays[1], ledger)


def _infer_function(operands: Sequence[Operand], attributes: Attributes) -> Inferred:
    del attributes
    require_float(operands[0], "x")
    return operands[0].shape, operands[0].format


def _prepare_function(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models import float_function

    del operands, constants
    function = attributes["function"]
    return lambda arrays, ledger: float_function(arrays[0], function, ledger)


def _row(x: Operand, dims: int) -> tuple[int, ...]:
    """Return the last dimensions, over which a row reaches; the batch is none of them."""
    require_float(x, "x")
    rank = len(x.shape)
    last = x.shape[rank - dims :] if dims <= rank else (-1,)
    if not last or last[0] == -1 or not math.prod(last):
        raise ModelError.of("a row must have values of one sample", x.shape, "[..., C], C >= 1")
    return last


def _infer_softmax(operands: Sequence[Operand], attributes: Attributes) -> Inferred:
    del attributes
    _row(operands[0], 1)
    return operands[0].shape, operands[0].format


def _prepare_softmax(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models import float_softmax

    del operands, constants
    lanes = attributes["lanes"]
    return lambda arrays, ledger: float_softmax(arrays[0], lanes, ledger)


def _infer_norm(operands: Sequence[Operand], attributes: Attributes) -> Inferred:
    _row(operands[0], attributes["dims"])
    if attributes["weight"] is None and attributes["bias"] is not None:
        raise ModelError.of("bias must be null without a weight", "a bias", "null, or a weight too")
    return operands[0].shape, operands[0].format


def _norm_tables(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> dict[str, Array | None]:
    """Return weight and bias, each of a row's shape."""
    row = _row(operands[0], attributes["dims"])
    tables = {name: check.resolve(attributes[name], constants) for name in ("weight", "bias")}
    for name, table in tables.items():
        if table is not None and table.shape != row:
            raise ModelError.of(f"{name} must have the shape of a row", table.shape, str(row))
    return tables


def _prepare_norm(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models import float_layer_norm

    tables: Any = _norm_tables(operands, attributes, constants)
    rest = {name: attributes[name] for name in ("eps", "dims", "lanes")}
    return lambda arrays, ledger: float_layer_norm(arrays[0], **tables, **rest, ledger=ledger)


def _infer_matmul(operands: Sequence[Operand], attributes: Attributes) -> Inferred:
    del attributes
    a, b = operands
    require_float(a, "a")
    require_float(b, "b")
    return shapes.matmul(a.shape, b.shape), a.format


def _prepare_matmul(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models import float_matmul

    del operands, constants
    fused = attributes["fused"]
    return lambda arrays, ledger: float_matmul(arrays[0], arrays[1], fused=fused, ledger=ledger)


def _macs(operands: Sequence[Operand], shape: tuple[int, ...]) -> int:
    return elements(shape) * operands[0].shape[-1]


def _infer_dynamic(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    a, b, *points = operands
    for name, point in zip(("a_zero_point", "b_zero_point"), points, strict=True):
        if math.prod(point.shape) != 1:
            raise ModelError.of(f"{name} must be one code", point.shape, "one element")
    return shapes.matmul(a.shape, b.shape), accumulated(attributes)


def _prepare_dynamic(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models import dynamic_matmul

    del operands, constants
    accumulator = check.accumulator_from_json(attributes["accumulator"])

    def run(arrays: Sequence[Array], ledger: Ledger | None) -> Array:
        a, b, a_point, b_point = arrays
        return dynamic_matmul(a, b, a_point, b_point, accumulator, ledger)

    return run


def _table(value: Any, constants: Constants) -> None:
    array = check.constant(value, constants)
    if array.size == 0 or not holds(array, "f"):
        shown = f"{array.dtype} {array.shape}"
        raise ModelError.of("must be a constant", shown, "finite float32, of a row's shape")


def _lanes(value: Any, constants: Constants) -> None:
    del constants
    if value not in _LANES or isinstance(value, bool):
        raise ModelError.of("must be a power of two", value, f"1..{_LANES[-1]}")


def _eps(value: Any, constants: Constants) -> None:
    import numpy as np

    del constants
    with np.errstate(over="ignore", under="ignore"):
        if isinstance(value, float) and 0 < np.float32(value) < np.inf:
            return
    raise ModelError.of("must be a number", value, "a float32 above 0")


FLOATS: Final[Mapping[str, Binding]] = {
    "float_add": Binding(("a", "b"), {}, _infer_pair, _prepare_add, floats=("a", "b")),
    "float_mul": Binding(("a", "b"), {}, _infer_pair, _prepare_mul, floats=("a", "b")),
    "float_function": Binding(
        ("x",),
        {"function": check.one_of("relu", "exp", "erf", "gelu", "tanh")},
        _infer_function,
        _prepare_function,
        floats=("x",),
    ),
    "float_softmax": Binding(
        ("x",), {"lanes": _lanes}, _infer_softmax, _prepare_softmax, floats=("x",)
    ),
    "float_layer_norm": Binding(
        ("x",),
        {
            "dims": check.integer(1, check.MAX_RANK),
            "eps": _eps,
            "lanes": _lanes,
            "weight": check.optional(_table),
            "bias": check.optional(_table),
        },
        _infer_norm,
        _prepare_norm,
        require=_norm_tables,
        floats=("x",),
    ),
    "float_matmul": Binding(
        ("a", "b"),
        {"fused": check.boolean},
        _infer_matmul,
        _prepare_matmul,
        macs=_macs,
        floats=("a", "b"),
    ),
    "dynamic_matmul": Binding(
        ("a", "b", "a_zero_point", "b_zero_point"),
        {"accumulator": check.accumulator},
        _infer_dynamic,
        _prepare_dynamic,
        macs=_macs,
    ),
}

"""Bindings of the primitives that pick or move codes: pooling, reshape, permute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from qsim.program import attributes as check
from qsim.program import shapes
from qsim.program.bindings.binding import CODE, Attributes, Binding, Kernel, Operand, dims, pairs
from qsim.target import DivisionRounding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hw_models import FixedFormat, Format, Ledger
    from qsim.program.attributes import Array, Check, Constants


def _infer_max_pool(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    (x,) = operands
    return shapes.pool(x.shape, attributes), x.codes


def _infer_avg_pool(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], FixedFormat]:
    (x,) = operands
    return shapes.pool(x.shape, attributes), _pooled(x, attributes)


def _pooled(x: Operand, attributes: Attributes) -> FixedFormat:
    """Return the output's format: x's own unless stated, as a mean never leaves it."""
    return check.format_from_json(attributes["output"]) if "output" in attributes else x.codes


def _window(x: Operand, attributes: Attributes) -> dict[str, Any]:
    """Return kernel, stride and padding; a global pooling takes all of x."""
    if attributes["kernel"] is None:
        return {"kernel": x.shape[2:], "stride": None, "padding": 0}
    return {
        "kernel": dims(attributes["kernel"]),
        "stride": dims(attributes["stride"]),
        "padding": pairs(attributes["padding"]),
    }


def _adaptive(attributes: Attributes) -> Any:
    """Return the output sizes of adaptive windows, or None where a kernel or all of x is pooled."""
    return dims(attributes.get("output_size"))


def _prepare_max_pool(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.pools.max_pool import adaptive_max_pool, max_pool

    del constants
    size = _adaptive(attributes)
    if size is not None:
        return lambda arrays, ledger: adaptive_max_pool(arrays[0], size, ledger=ledger)
    keywords = _window(operands[0], attributes)
    keywords["dilation"] = dims(attributes["dilation"])
    keywords["ceil_mode"] = attributes["ceil_mode"]
    if attributes["kernel"] is None:
        keywords |= {"dilation": 1, "ceil_mode": False}
    return lambda arrays, ledger: max_pool(arrays[0], **keywords, ledger=ledger)


def _prepare_avg_pool(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    from hw_models.pools.avg_pool import adaptive_avg_pool, avg_pool

    del constants
    size = _adaptive(attributes)
    keywords: dict[str, Any] = {
        "rounding": attributes["rounding"],
        "zero_point": attributes["zero_point"],
        "centered": attributes.get("centered", False),
        "output": _pooled(operands[0], attributes),
    }
    if size is not None:
        return lambda arrays, ledger: adaptive_avg_pool(arrays[0], size, **keywords, ledger=ledger)
    keywords |= _window(operands[0], attributes)
    keywords["divisor"] = attributes.get("divisor")
    for name in ("count_include_pad", "ceil_mode"):
        keywords[name] = attributes[name]
    return lambda arrays, ledger: avg_pool(arrays[0], **keywords, ledger=ledger)


def _infer_reshape(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], Format]:
    (x,) = operands
    return shapes.reshape(x.shape, attributes["shape"]), x.format


def _prepare_reshape(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    del constants
    x = operands[0].shape
    inferred = shapes.reshape(x, attributes["shape"])
    # The batch is taken from the array: with an empty batch NumPy cannot work out a -1.
    symbolic = x[0] == -1

    def run(arrays: Sequence[Array], ledger: Ledger | None) -> Array:
        _count(arrays[0], ledger)
        batch = (arrays[0].shape[0],) if symbolic else ()
        return arrays[0].reshape(*batch, *inferred[len(batch) :])

    return run


def _infer_permute(
    operands: Sequence[Operand], attributes: Attributes
) -> tuple[tuple[int, ...], Format]:
    (x,) = operands
    return shapes.permute(x.shape, attributes["dims"]), x.format


def _prepare_permute(
    operands: Sequence[Operand], attributes: Attributes, constants: Constants
) -> Kernel:
    del operands, constants
    order = tuple(attributes["dims"])

    def run(arrays: Sequence[Array], ledger: Ledger | None) -> Array:
        _count(arrays[0], ledger)
        return arrays[0].transpose(order)

    return run


def _count(x: Array, ledger: Ledger | None) -> None:
    from hw_models._pointwise import ends_of

    if ledger is not None:
        ledger.fill(x.size, ends_of(x), "view", "no arithmetic: the codes are moved, not changed")


_POOL: Final[dict[str, Check]] = {
    "kernel": check.optional(check.per_dimension(1)),
    "stride": check.optional(check.per_dimension(1)),
    "padding": check.padding,
    "ceil_mode": check.boolean,
    "output_size": check.optional(check.per_dimension(1)),
}
_MAX_DIVISOR: Final = 1 << 30  # hw_models.pools.avg_pool.MAX_DIVISOR, without loading Numba

MOVES: Final[Mapping[str, Binding]] = {
    "max_pool": Binding(
        ("x",),
        {**_POOL, "dilation": check.per_dimension(1)},
        _infer_max_pool,
        _prepare_max_pool,
        optional=("output_size",),
    ),
    "avg_pool": Binding(
        ("x",),
        {
            **_POOL,
            "rounding": check.one_of(*get_args(DivisionRounding)),
            "count_include_pad": check.boolean,
            "zero_point": CODE,
            "centered": check.boolean,
            "output": check.output_format,
            "divisor": check.optional(check.integer(1, _MAX_DIVISOR)),
        },
        _infer_avg_pool,
        _prepare_avg_pool,
        optional=("centered", "output", "output_size", "divisor"),
    ),
    "reshape": Binding(
        ("x",),
        {"shape": check.integers(-1, check.MAX_ELEMENTS)},
        _infer_reshape,
        _prepare_reshape,
        overwrites=("x",),
        floats=("x",),
    ),
    "permute": Binding(
        ("x",),
        {"dims": check.integers(0, check.MAX_RANK)},
        _infer_permute,
        _prepare_permute,
        floats=("x",),
    ),
}

"""Requantize calls: what ends a match, and what carries codes to other parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qsim.lowering.clamps import clamp_codes
from qsim.lowering.view import NotLowerableError
from qsim.program import encode_scheme, format_to_json
from qsim.registry import Reason
from qsim.target import derive

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from hw_models import Requantizer
    from qsim.lowering.builder import Builder, Codes
    from qsim.lowering.view import QParams
    from qsim.program import TensorSpec


def emit_requantize(
    builder: Builder,
    acc: str,
    requantizer: Requantizer,
    *,
    clamp: list[int] | None,
    axis: int,
    input_zero_point: int = 0,
) -> None:
    """Emit the requantize that ends a match."""
    params = builder.match.result.params
    prefix = f"{builder.match.anchor.name}.requantize"
    scheme = encode_scheme(requantizer, prefix, builder.constants)
    builder.call(
        "requantize",
        (acc,),
        builder.result(),
        {
            "scheme": scheme,
            "zero_point": params.zero_point,
            "input_zero_point": input_zero_point,
            "output": format_to_json(params.format),
            "clamp": clamp,
            "axis": axis,
        },
    )


def warn_of_factors(
    builder: Builder, factors: npt.ArrayLike, reach: int, operator: str = ""
) -> None:
    """Say which factors the target's multiplier and shift do not hold, where a code shows it.

    Args:
        builder: takes the warning.
        factors: what the accumulator is multiplied with; one, or one per channel.
        reach: the largest magnitude of the accumulator.
        operator: as ``derive.requantizer`` takes it.
    """
    least = derive.smallest_factor(builder.target, operator)
    found = np.atleast_1d(np.asarray(factors, np.float64))
    small = np.flatnonzero((found < least) & (found * reach >= 0.5))
    if small.size:
        channel = f" in channel {small[0]}" if found.size > 1 else ""
        more = f" and {small.size - 1} more" if small.size > 1 else ""
        builder.warn(
            f"it multiplies by {found[small[0]]:.3g}{channel}{more}; the target's multiplier and "
            f"shift hold {least:.3g} and more"
        )


def emit_rescale(
    builder: Builder, codes: str, source: QParams, *, clamp: list[int] | None = None
) -> None:
    """Emit the requantize that moves codes from one scale and zero point to the result's."""
    target = builder.target
    if not target.has("requantize"):
        raise NotLowerableError(
            Reason(
                "target",
                "its input and output have different scales, and the target has no requantize",
                ("requantize",),
            )
        )
    made = builder.match.result.params
    reach = max(source.format.max - source.zero_point, source.zero_point - source.format.min)
    warn_of_factors(builder, source.scale / made.scale, reach)
    scheme = derive.requantizer(target, source.scale, 1.0, made.scale)
    emit_requantize(builder, codes, scheme, clamp=clamp, axis=1, input_zero_point=source.zero_point)


def lower_rescale(builder: Builder) -> None:
    """Emit the requantize of a value that is dequantized only to be quantized otherwise."""
    emit_rescale(builder, builder.match.operands[0].name, builder.match.operands[0].params)


def same_params(source: Codes, result: Codes) -> bool:
    """Return whether two activations have the same codes for the same real numbers."""
    a, b = source.params, result.params
    return (a.scale, a.zero_point, a.format) == (b.scale, b.zero_point, b.format)


def move_or_rescale(
    builder: Builder,
    primitive: str,
    source: Codes,
    attributes: dict[str, object],
    inputs: tuple[str, ...] = (),
) -> None:
    """Emit a primitive that keeps its input's parameters, then a rescale where the graph asks one.

    ``attributes`` may not depend on the output's parameters. A fused activation becomes the clamp
    of the rescale, or a clamp of its own. ``inputs`` are the operands, where there are others.
    """
    match = builder.match
    inputs = inputs or (source.name,)
    clamp = clamp_codes(builder)
    if same_params(source, match.result) and clamp is None:
        builder.call(primitive, inputs, builder.result(), attributes)
        return
    moved: TensorSpec = builder.intermediate(primitive, match.result.shape, source.params.format)
    name = builder.call(primitive, inputs, moved, attributes)
    if same_params(source, match.result) and clamp is not None:
        if not builder.target.has("clamp"):
            text = "the target has no clamp for its activation"
            raise NotLowerableError(Reason("target", text, ("clamp",)))
        lo, hi = clamp
        builder.call("clamp", (name,), builder.result(), {"lo": lo, "hi": hi})
        return
    emit_rescale(builder, name, source.params, clamp=clamp)


def flat_shape(shape: Sequence[int]) -> list[int]:
    """Return a result's shape as the reshape attribute: 0 keeps a symbolic batch."""
    return [0 if d == -1 else d for d in shape]

"""Which names are primitives: the built-in ones, and those that extensions registered."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.registry.binding import Binding

# Their bindings stand in ``qsim.program.primitives``, which has one for each of these names.
BUILTIN: Final[frozenset[str]] = frozenset(
    (
        "add",
        "argmax",
        "avg_pool",
        "bias_add",
        "choose_scale",
        "choose_zero_point",
        "clamp",
        "concat",
        "correlation",
        "dequantize",
        "dequantize_sums",
        "embedding",
        "gather",
        "group_norm",
        "integer_function",
        "interpolate",
        "layer_norm",
        "linear",
        "linear_groups",
        "linear_pairs",
        "lookup",
        "masked_softmax",
        "matmul",
        "max_pool",
        "maximum",
        "mean",
        "min_max",
        "minimum",
        "mul",
        "pad",
        "permute",
        "prelu",
        "quantize",
        "requantize",
        "reshape",
        "resize",
        "resize_scaled",
        "rms_norm",
        "rotary",
        "shift_right",
        "softmax",
        "strided_slice",
        "sub",
        "transposed_correlation",
    )
)
_registered: Final[dict[str, Binding]] = {}
REGISTERED: Final[Mapping[str, Binding]] = MappingProxyType(_registered)


def register(name: str, binding: Binding) -> None:
    """Add a primitive; a second time is fine if it is the same one.

    Raises:
        UsageError: another primitive has its name.
    """
    if name in BUILTIN or _registered.get(name, binding) is not binding:
        raise UsageError(
            "another primitive has its name", where=f"primitive {name!r}", accepted="a new name"
        )
    _registered[name] = binding


def is_registered(name: str) -> bool:
    """Return whether a primitive is not built in but registered."""
    return name in _registered


def unregister(name: str) -> None:
    """Remove a registered primitive; built-in ones stay."""
    _registered.pop(name, None)

"""Which RTL serves a primitive, and the beats of a call on it.

What is computed in float32, what moves no code (reshape) and what has no module here has no RTL,
and asking for it is an error that says so. RTL of somebody else may have it: ``bindable`` makes
beats for every primitive.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from qsim.cosim.jobs import generic
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qsim.cosim.jobs.unit import Job
    from qsim.golden import Case
    from qsim.target import Target

# Primitive to (module, function); modules are loaded when a job is made.
_MAKERS: Final[Mapping[str, tuple[str, str]]] = {
    "correlation": ("correlation", "job"),
    "linear": ("correlation", "job"),
    "matmul": ("correlation", "job"),
    "bias_add": ("bias_add", "job"),
    "requantize": ("requantize", "job"),
    "add": ("add", "job"),
    "mul": ("mul", "job"),
    "concat": ("concat", "job"),
    "clamp": ("requantize", "clamp_job"),
    "lookup": ("lookup", "job"),
    "max_pool": ("pool", "job"),
    "avg_pool": ("pool", "job"),
    "strided_slice": ("move", "job"),
    "permute": ("move", "job"),
    "gather": ("move", "job"),
    "embedding": ("move", "job"),
    "cache_write": ("cache_write", "job"),
    "layer_norm": ("norm", "job"),
    "group_norm": ("norm", "job"),
    "rms_norm": ("norm", "job"),
    "softmax": ("softmax", "job"),
    "masked_softmax": ("softmax", "job"),
    "integer_function": ("integer_function", "job"),
    "rotary": ("rotary", "job"),
}
# RTL of somebody else gets the codes alone: what is written into move.sv is that module's own. Of a
# norm it gets our beats, as packets of rows; of others the numbers of every scheme by their own
# names.
_MOVES: Final = ("strided_slice", "permute", "gather", "embedding")
_NORMS: Final = ("layer_norm", "group_norm", "rms_norm")
_THEIRS: Final = frozenset(
    {*_MOVES, *_NORMS, "softmax", "masked_softmax", "cache_write", "mul", "concat"}
)


def has_rtl(primitive: str) -> bool:
    """Return whether a module computes a primitive, in one scheme of it at least."""
    return primitive in _MAKERS


def job(case: Case, target: Target) -> Job:
    """Return what one call sends through the RTL of a target, and what must come out.

    Args:
        case: the call.
        target: states the widths and the geometry of the RTL.

    Raises:
        UsageError: a primitive or a scheme without RTL.
    """
    found = _MAKERS.get(case.primitive)
    if found is None:
        raise UsageError(
            f"no RTL for the primitive {case.primitive}",
            where=f"case {case.name!r}",
            accepted=", ".join(_MAKERS),
        )
    module, function = found
    make: Callable[[Case, Target], Job] = getattr(
        import_module(f"qsim.cosim.jobs.{module}"), function
    )
    return make(case, target)


def bindable(case: Case, target: Target) -> Job:
    """Return the beats of one call for RTL that is not the repository's.

    They are those of the repository's RTL, where it has any for the call; of moves and norms a
    packet that goes in and one that comes out.

    Raises:
        UsageError: there are no beats for the call; see ``generic``.
    """
    if case.primitive not in _MAKERS or case.primitive in _THEIRS:
        return generic.job(case, target)
    try:
        return job(case, target)
    except UsageError:
        if case.primitive not in generic.PRIMITIVES:
            raise
        return generic.job(case, target)  # a scheme without RTL

"""Beats of every primitive that no RTL of the repository takes, for RTL that somebody else has.

Fields are the primitive's operands and the numbers of its scheme. Three shapes: one beat for each
element of the result (``elementwise``), a packet of beats for each (``reductions``), and packets
that go in and come out, each of a length of its own (``frames``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qsim.cosim.jobs.unit import Job
    from qsim.golden import Case
    from qsim.target import Target

__all__ = ["PRIMITIVES", "job"]

# Primitive to (module, function); modules are loaded when a job is made.
_MAKERS: Final[Mapping[str, tuple[str, str]]] = {
    "requantize": ("elementwise", "job"),
    "add": ("elementwise", "job"),
    "sub": ("elementwise", "job"),
    "mul": ("elementwise", "job"),
    "minimum": ("elementwise", "job"),
    "prelu": ("elementwise", "prelu_job"),
    "maximum": ("elementwise", "job"),
    "shift_right": ("elementwise", "job"),
    "concat": ("elementwise", "concat_job"),
    "interpolate": ("tables", "job"),
    "resize": ("resize", "job"),
    "resize_scaled": ("resize", "job"),
    "mean": ("reductions", "mean_job"),
    "argmax": ("reductions", "argmax_job"),
    "transposed_correlation": ("transposed", "job"),
    "softmax": ("frames", "softmax_job"),
    "masked_softmax": ("frames", "softmax_job"),
    "embedding": ("caches", "embedding_job"),
    "cache_write": ("caches", "cache_write_job"),
    "pad": ("frames", "move_job"),
    "permute": ("frames", "move_job"),
    "strided_slice": ("frames", "move_job"),
    "gather": ("frames", "move_job"),
    "reshape": ("frames", "move_job"),
    "layer_norm": ("norms", "job"),
    "group_norm": ("norms", "job"),
    "rms_norm": ("norms", "job"),
}
PRIMITIVES: Final = tuple(_MAKERS)


def job(case: Case, target: Target) -> Job:
    """Return what one call sends through somebody else's RTL, and what must come out.

    Args:
        case: the call.
        target: states the widths that all calls of a network share.

    Raises:
        UsageError: a primitive of an extension, or a call whose operands have no such beats.
    """
    found = _MAKERS.get(case.primitive)
    if found is None:
        raise UsageError(
            f"no beats are made for the primitive {case.primitive}",
            where=f"case {case.name!r}",
            accepted='primitive = "custom", with arrays of your own',
        )
    module, function = found
    make: Callable[[Case, Target], Job] = getattr(
        import_module(f"qsim.cosim.jobs.generic.{module}"), function
    )
    return make(case, target)

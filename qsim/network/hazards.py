"""Calls that end the process in torch's own kernels, where an error is due.

Found by calling the operators of ``operators.ALLOWED`` with degenerate arguments on a processor
(torch 2.13): each of these is a SIGFPE or a SIGSEGV, which nobody can catch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIVISIONS: Final = frozenset(
    f"aten.{name}.{kind}_mode" for name in ("div", "divide") for kind in ("Tensor", "Scalar")
)
_PACKED: Final = frozenset(f"aten.{name}.data" for name in ("gru", "lstm", "rnn_relu", "rnn_tanh"))


def reads_values(name: str) -> bool:
    """Return whether it depends on values, not on shapes alone, if a call ends the process."""
    return name in _DIVISIONS or name in _PACKED


def require_survivable(name: str, bound: Mapping[str, Any]) -> None:
    """Refuse a call that would end the process.

    Args:
        name: of the operator.
        bound: its arguments by the names of its schema, with tensors.

    Raises:
        ModelError: the quotient of a division of integers does not fit, a recurrent network over
            packed sequences without a step, a batch norm without the statistics that it takes.
    """
    if name in _DIVISIONS and bound.get("rounding_mode") == "trunc":
        _require_quotients(bound["self"], bound["other"])
    elif name in _PACKED and bound["batch_sizes"].numel() == 0:
        raise ModelError("batch_sizes is empty", accepted="one or more steps")
    elif name == "aten.native_batch_norm.default" and not bound["training"]:
        for each in ("running_mean", "running_var"):
            if bound[each] is None:
                raise ModelError.of("training = false needs statistics", each, "a tensor")


def _require_quotients(dividend: Any, divisor: Any) -> None:
    """The least integer by -1 is one more than the largest: the processor's division traps."""
    import torch

    dtype = torch.result_type(dividend, divisor)
    if dtype not in (torch.int32, torch.int64):  # narrower ones are divided in 32 bits
        return
    least = torch.iinfo(dtype).min
    by = torch.as_tensor(divisor).to(dtype)
    if bool(((dividend.to(dtype) == least) & (by == -1)).any()):
        raise ModelError(
            f"{least} / -1 does not fit {str(dtype).removeprefix('torch.')}",
            accepted="quotients that fit",
        )

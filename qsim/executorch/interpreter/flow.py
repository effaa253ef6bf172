"""Instructions that compute nothing: move, jump, free."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from qsim.errors import ModelError
from qsim.executorch.pte import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from qsim.executorch.interpreter.run import Run
    from qsim.executorch.pte import FreeCall, JumpFalseCall, Method, MoveCall

    Step = Callable[[Run], int | None]


def move(method: Method, call: MoveCall, number: int) -> Step:
    """Return what lets a value be what another is.

    Raises:
        ModelError: the two are of different kinds.
    """
    source, target = (method.values[index] for index in (call.source, call.target))
    if type(source) is not type(target):
        raise ModelError(
            f"instruction {number} moves value {call.source} to value {call.target}, "
            "which is of another kind"
        )
    if isinstance(source, TensorSpec) and isinstance(target, TensorSpec):
        kinds = [(spec.dtype, len(spec.sizes)) for spec in (source, target)]
        if kinds[0] != kinds[1]:
            raise ModelError(f"instruction {number} moves {source} to {target}")
    return lambda run: run.move(call.source, call.target)


def jump(method: Method, call: JumpFalseCall, number: int) -> Step:
    """Return what goes on elsewhere if a value is false.

    Raises:
        ModelError: the value is no flag.
    """
    value = method.values[call.condition]
    flag = isinstance(value, bool) or (isinstance(value, TensorSpec) and value.dtype == torch.bool)
    where = f"instruction {number} (jump)"
    if not flag:
        raise ModelError(f"{where} depends on value {call.condition}", accepted="a flag")

    def step(run: Run) -> int | None:
        condition = run.read(call.condition, where)
        # As ExecuTorch's runtime: a tensor of flags is true if all of them are.
        true = bool(condition.all()) if isinstance(condition, torch.Tensor) else condition
        return None if true else call.target

    return step


def free(call: FreeCall) -> Step:
    """Return what gives the memory of a tensor back."""

    def step(run: Run) -> None:
        run.values[call.value] = None

    return step

"""ExecuTorch's primitive operators: on numbers, on shapes, and views that move no data."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError
from qsim.executorch.pte import Indices, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from qsim.executorch.interpreter.run import Run
    from qsim.executorch.pte import KernelCall, Method

_INT64: Final = range(-(2**63), 2**63)


def _divide(a: float, b: float) -> int:
    """Return the quotient rounded toward zero, as C++ divides integers."""
    quotient = abs(a) // abs(b)
    return int(quotient if (a < 0) == (b < 0) else -quotient)


def _remainder(a: int, b: int) -> int:
    return a - b * _divide(a, b)


# executorch_prim::* on numbers, by name: how many operands, and the function.
_NUMBERS: Final[dict[str, tuple[int, Callable[..., Any]]]] = {
    "add.Scalar": (2, operator.add),
    "sub.Scalar": (2, operator.sub),
    "mul.Scalar": (2, operator.mul),
    "floordiv.Scalar": (2, operator.floordiv),
    "floordiv.int": (2, _divide),
    "truediv.Scalar": (2, operator.truediv),
    "mod.Scalar": (2, _remainder),
    "mod.int": (2, _remainder),
    "eq.Scalar": (2, operator.eq),
    "gt.Scalar": (2, operator.gt),
    "lt.Scalar": (2, operator.lt),
    "ge.Scalar": (2, operator.ge),
    "le.Scalar": (2, operator.le),
    "sym_max.Scalar": (2, max),
    "sym_min.Scalar": (2, min),
    "neg.Scalar": (1, operator.neg),
    "sym_not.Scalar": (1, operator.not_),
    "sym_float.Scalar": (1, float),
    "sym_int.Scalar": (1, int),
    "ceil.Scalar": (1, math.ceil),
    "round.Scalar": (1, round),
    "trunc.Scalar": (1, math.trunc),
    "sym_ite.Scalar": (3, lambda condition, yes, no: yes if condition else no),
}


def _kinds(values: list[Any]) -> str:
    """Return a letter for every value: t a tensor, i a list of integers, n a number or a flag."""
    letters = []
    for value in values:
        if isinstance(value, TensorSpec):
            letters.append("t")
        elif isinstance(value, Indices) and value.kind == "IntList":
            letters.append("i")
        else:
            letters.append("n" if isinstance(value, (int, float)) else "?")
    return "".join(letters)


class Prim:
    """One call of a primitive operator.

    Raises:
        ModelError: the values do not fit it.
    """

    def __init__(self, method: Method, call: KernelCall, number: int) -> None:
        self.name = method.operators[call.operator]
        self.where = f"instruction {number} ({self.name})"
        self._args = call.args
        if self.name == "executorch_prim::et_copy_index.tensor":
            self.writes = call.args[:1]
        else:
            self.writes = call.args[-1:]
        self._compute, wanted = _forms(self.name)
        found = _kinds([method.values[index] for index in call.args])
        # A call may name what it returns once more.
        if found[: len(wanted)] != wanted or len(found) > len(wanted) + 1:
            raise ModelError(f"{self.where} has values of kinds {found!r}", accepted=repr(wanted))
        if self.name == "executorch_prim::et_copy_index.tensor":
            spec = method.values[call.args[0]]
            if isinstance(spec, TensorSpec) and spec.constant:
                raise ModelError(f"{self.where} writes value {call.args[0]}, which is a constant")

    def __call__(self, run: Run) -> None:
        """Compute.

        Raises:
            ModelError: an operand was overwritten, or is out of range.
        """
        try:
            self._compute(run, self._args, self.where)
        except (ArithmeticError, IndexError, ValueError, TypeError, RuntimeError) as error:
            raise ModelError(f"{self.where}: {str(error)[:200]}") from None


def known(name: str) -> bool:
    """Return whether a name is that of a primitive operator."""
    return name in _SPECIAL or name.removeprefix("executorch_prim::") in _NUMBERS


def result(call: KernelCall, name: str) -> int | None:
    """Return the value, not a tensor, that a call of a primitive sets; None where there is none."""
    if name in ("executorch_prim::et_view.default", "executorch_prim::et_copy_index.tensor"):
        return None
    wanted = _forms(name)[1]
    return call.args[len(wanted) - 1] if len(call.args) >= len(wanted) else None


def _forms(name: str) -> tuple[Callable[..., None], str]:
    if name in _SPECIAL:
        return _SPECIAL[name]
    count, function = _NUMBERS[name.removeprefix("executorch_prim::")]

    def compute(run: Run, args: tuple[int, ...], where: str) -> None:
        _set(run, args[count], function(*(run.read(index, where) for index in args[:count])))

    return compute, "n" * (count + 1)


def _set(run: Run, index: int, value: Any) -> None:
    if isinstance(value, int) and value not in _INT64:
        raise OverflowError(f"{value} is no 64-bit integer")
    run.values[index] = value


def _sym_size(run: Run, args: tuple[int, ...], where: str) -> None:  # noqa: ARG001 - one form
    _set(run, args[2], int(run.values[args[0]].shape[run.values[args[1]]]))


def _sym_numel(run: Run, args: tuple[int, ...], where: str) -> None:  # noqa: ARG001 - one form
    _set(run, args[1], int(run.values[args[0]].numel()))


def _local_scalar(run: Run, args: tuple[int, ...], where: str) -> None:
    tensor = run.read(args[0], where)
    if tensor.numel() != 1:
        raise ValueError(f"its tensor has {tensor.numel()} elements, not 1")
    _set(run, args[1], tensor.item())


def _view(run: Run, args: tuple[int, ...], where: str) -> None:
    source, sizes, target = args[:3]
    tensor = run.read(source, where)
    spec = run.spec(target)
    wanted = [run.values[item] for item in run.values[sizes].items]
    if not tensor.is_contiguous() or tensor.dtype != spec.dtype:
        raise ValueError("only a tensor in its default dim order can be viewed, as its own type")
    view = tensor.view(wanted)
    if not spec.fits(view.shape):
        raise ValueError(f"its view {list(view.shape)} is not {spec}, as the plan has it")
    run.alias(target, source, view)


def _copy_index(run: Run, args: tuple[int, ...], where: str) -> None:
    """Let row ``index`` of a tensor be another tensor; it grows to have such a row."""
    target, source, number = args[:3]
    row = run.read(source, where)
    index = int(run.values[number])
    spec = run.spec(target)
    held = run.values[target]
    rows = 0 if held is None or index == 0 else int(held.shape[0])
    sizes = (max(rows, index + 1), *row.shape)
    if not spec.dynamic:
        sizes = spec.sizes
    if index < 0 or not spec.fits(sizes) or sizes[1:] != tuple(row.shape) or index >= sizes[0]:
        raise ValueError(f"row {index} of {list(row.shape)} does not fit into {spec}")
    before = held if spec.arena is None else None
    run.resize(target, sizes)
    if before is not None and rows:
        run.values[target][:rows].copy_(before[:rows])
    run.values[target][index].copy_(row)
    run.wrote(target)


_SPECIAL: Final[dict[str, tuple[Callable[..., None], str]]] = {
    "aten::sym_size.int": (_sym_size, "tnn"),
    "aten::sym_numel": (_sym_numel, "tn"),
    "aten::_local_scalar_dense": (_local_scalar, "tn"),
    "executorch_prim::et_view.default": (_view, "tit"),
    "executorch_prim::et_copy_index.tensor": (_copy_index, "ttn"),
}

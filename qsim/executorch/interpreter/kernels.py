"""Kernel calls: an operator bound to the values of a plan, its shapes checked before it runs."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from qsim.errors import ModelError
from qsim.executorch.interpreter import arguments, operators
from qsim.executorch.pte import Indices, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from qsim.executorch.interpreter.run import Run
    from qsim.executorch.pte import KernelCall, Method

# What torch raises for arguments that do not fit; MemoryError and the user's Ctrl-C pass.
FAILURES = (RuntimeError, TypeError, ValueError, IndexError, OverflowError, KeyError)


@dataclass(frozen=True, slots=True)
class Bound:
    """A call with all its arguments, out tensors included.

    Attributes:
        call, positional, keywords: what is called.
        guard: what is asked first, if anything.
        told: the message of an error, from what torch raised.
    """

    call: Callable[..., object]
    positional: tuple[Any, ...]
    keywords: dict[str, Any]
    guard: Callable[..., None] | None
    told: Callable[[Exception], str]

    def __call__(self) -> None:
        """Compute.

        Raises:
            ModelError: the operator refuses its arguments.
        """
        try:
            if self.guard is not None:
                self.guard(*self.positional, **self.keywords)
            self.call(*self.positional, **self.keywords)
        except FAILURES as error:
            raise ModelError(self.told(error)) from None


class Kernel:
    """One call of an operator that writes its result into out tensors.

    Args:
        method: whose call it is.
        call: operator and values.
        number: of the instruction.
        changing: the values that are not tensors and that an instruction sets.

    Raises:
        ModelError: the operator is unknown, or the values do not fit it.
    """

    def __init__(
        self, method: Method, call: KernelCall, number: int, changing: AbstractSet[int]
    ) -> None:
        self.operator = operators.find(method.operators[call.operator])
        self.where = f"instruction {number} ({self.operator.name})"
        self._values = method.values
        self._positional: list[Any] = []
        self._keywords: dict[str, Any] = {}
        self._reads: list[int] = []
        # Out tensors by argument, in lists or alone; and operands that the operator changes.
        self._outs: dict[str, tuple[int, ...]] = {}
        self._changed: list[int] = []
        self._returned = self._bind(call.args)
        self.writes = (*self._written(), *self._changed, self._returned)
        # Where a size is known at run time only, the result is made aside and then put in place.
        self._aside = not changing.isdisjoint(_named(call.args, method.values)) or any(
            spec.dynamic for spec in self._specs(call.args)
        )
        if not self._aside:
            self._aside = not self._check_shapes()

    def _bind(self, args: tuple[int, ...]) -> int:
        """Sort values into the arguments of the operator; return the index of what it returns."""
        signature = self.operator.signature
        # The last value is what the call returns: its out tensor again, or a list of them.
        if len(args) != len(signature) + 1:
            raise ModelError(
                f"{self.where} names {len(args)} values", accepted=str(len(signature) + 1)
            )
        for argument, index in zip(signature, args, strict=False):
            value = self._values[index]
            if not arguments.accepts(argument.type, value):
                raise ModelError(
                    f"{self.where}: value {index} cannot be {argument.name}", accepted=argument.type
                )
            get = arguments.getter(argument.type, index, self._values)
            tensors = tuple(
                item
                for item in _named((index,), self._values)
                if isinstance(self._values[item], TensorSpec)
            )
            if argument.keyword:
                self._keywords[argument.name] = get
            else:
                self._positional.append(get)
            if argument.written and argument.keyword:
                self._outs[argument.name] = tensors
            else:
                self._reads += tensors
            if argument.written:
                self._check_writable(tensors)
                if not argument.keyword:
                    self._changed += tensors
        return args[-1]

    def _check_writable(self, tensors: tuple[int, ...]) -> None:
        for index in tensors:
            spec = self._values[index]
            if isinstance(spec, TensorSpec) and spec.constant:
                raise ModelError(f"{self.where} writes value {index}, which is a constant")

    def _specs(self, args: tuple[int, ...]) -> Iterator[TensorSpec]:
        for index in _named(args, self._values):
            value = self._values[index]
            if isinstance(value, TensorSpec):
                yield value

    def _check_shapes(self) -> bool:
        """Run the operator on shapes alone; return whether it can.

        Raises:
            ModelError: the operator refuses them, or its result is of another shape than planned.
        """
        shapes: Any = _Shapes(self._values)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about out tensors that must grow: checked below
            try:
                self._call(self.operator.on_shapes, shapes)
            except NotImplementedError:
                return False
            except FAILURES as error:
                raise ModelError(self._told(error)) from None
        for index in (*self._written(), *self._changed):
            spec = self._values[index]
            if isinstance(spec, TensorSpec) and tuple(shapes[index].shape) != spec.sizes:
                raise ModelError(
                    f"{self.where} makes {list(shapes[index].shape)} of value {index}",
                    accepted=f"{spec}, as the plan has it",
                )
        return True

    def _written(self) -> Iterator[int]:
        for indices in self._outs.values():
            yield from indices

    def _call(self, function: Any, values: Any, outs: Mapping[str, Any] | None = None) -> None:
        positional = [get(values) for get in self._positional]
        keywords = {name: get(values) for name, get in self._keywords.items()}
        if outs is not None:
            keywords.update(outs)
        function(*positional, **keywords)

    def _told(self, error: Exception) -> str:
        text = str(error).strip().partition("\n")[0] or type(error).__name__
        return f"{self.where}: {text[:300]}"

    def __call__(self, run: Run) -> None:
        """Compute.

        Raises:
            ModelError: an operand was overwritten, or the operator refuses its arguments.
        """
        for index in self._reads:
            run.read(index, self.where)
        outs = self._prepare(run)
        try:
            if self.operator.guard is not None:
                self._call(self.operator.guard, run.values, outs)
            self._call(self.operator.call, run.values, outs)
        except FAILURES as error:
            raise ModelError(self._told(error)) from None
        if outs is not None:
            for name, indices in self._outs.items():
                made = outs[name] if isinstance(outs[name], list) else [outs[name]]
                for index, tensor in zip(indices, made, strict=True):
                    run.put(index, tensor, self.where)
        else:
            for index in self._written():
                run.wrote(index)
        for index in self._changed:
            run.wrote(index)
        if self._changed and self._returned not in self._changed:
            run.move(self._changed[0], self._returned)

    def bind(self, run: Run) -> Bound | None:
        """Return this call with the arguments that it had in a run, for runs that are all alike.

        None where arguments or results differ from run to run. Only what the quantized kernels
        demand of values that change is asked again.
        """
        if self._aside or (self._changed and self._returned not in self._changed):
            return None
        positional = [get(run.values) for get in self._positional]
        keywords = {name: get(run.values) for name, get in self._keywords.items()}
        guard = self.operator.guard if self._guarded_by_values() else None
        return Bound(self.operator.call, tuple(positional), keywords, guard, self._told)

    def _guarded_by_values(self) -> bool:
        """Return whether the guard looks into tensors that may hold something else next time."""
        # Those that choose parameters look at their input, others at no more than parameters.
        first = 0 if "::choose_qparams" in self.operator.name else 1
        return any(not spec.constant for spec in self._specs(tuple(self._reads[first:])))

    def _prepare(self, run: Run) -> dict[str, Any] | None:
        """Return out tensors aside from the plan, or None where they are in their places."""
        if self._aside:
            return {
                argument.name: self._empty(argument.type, self._outs[argument.name])
                for argument in self.operator.signature
                if argument.name in self._outs
            }
        for index in self._written():
            run.resize(index, run.spec(index).sizes)
        return None

    def _empty(self, kind: str, indices: tuple[int, ...]) -> Any:
        made = []
        for index in indices:
            spec = self._values[index]
            if isinstance(spec, TensorSpec):
                made.append(torch.empty(0, dtype=spec.dtype))
        return made if kind.startswith("List[") else made[0]


class _Shapes(dict[int, Any]):
    """Values as they are, and meta tensors in place of tensors; made when asked for."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        super().__init__()
        self.values_of_plan = values

    def __missing__(self, index: int) -> Any:
        value = self.values_of_plan[index]
        if isinstance(value, TensorSpec):
            strides = value.strides(value.sizes)
            value = torch.empty_strided(value.sizes, strides, dtype=value.dtype, device="meta")
        self[index] = value
        return value


def _named(args: tuple[int, ...], values: tuple[Any, ...]) -> list[int]:
    """Return the values that a call names, itself or through a list."""
    named = []
    for index in args:
        value = values[index]
        named.append(index)
        if isinstance(value, Indices):
            named += [item for item in value.items if item != -1]
    return named

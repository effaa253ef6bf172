"""Running a method: instructions in their order, on the memories that its plan has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from qsim.errors import ModelError, QsimError
from qsim.executorch import prims, registry
from qsim.executorch.kernels import Kernel
from qsim.executorch.method import (
    DelegateCall,
    FreeCall,
    Instruction,
    JumpFalseCall,
    KernelCall,
    Method,
    MoveCall,
    TensorSpec,
)
from qsim.executorch.run import Run, State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Step = Callable[[Run], int | None]

# A loop of a network ends long before; a damaged jump need not.
MAX_STEPS: Final = 10_000_000


class Interpreter:
    """One method, ready to run.

    Raises:
        ModelError: it calls what qsim does not have, or calls it with what does not fit.
    """

    def __init__(self, method: Method) -> None:
        self.method = method
        self._changing = _changing(method)
        self._models = {
            delegate.id: registry.model_of(delegate.id) for delegate in method.delegates
        }
        self._written = set(method.inputs)
        self._chains = [
            [self._step(instruction, number) for number, instruction in enumerate(chain)]
            for chain in method.chains
        ]
        self._views = frozenset(range(len(method.values))) - self._written
        self._state = State(method)

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """Return the outputs for inputs of the right number, types and shapes.

        Raises:
            ModelError: an overwritten tensor is read, or an operator refuses its arguments.
        """
        run = Run(self._state, self._views)
        for index, value in zip(self.method.inputs, inputs, strict=True):
            if isinstance(value, torch.Tensor):
                run.put(index, value, "the input")
        steps = 0
        for chain in self._chains:
            at = 0
            while at < len(chain):
                run.instruction = at
                target = chain[at](run)
                at = at + 1 if target is None else target
                steps += 1
                if steps > MAX_STEPS:
                    raise ModelError(f"method {self.method.name} has not ended in {steps} steps")
        return [self._output(run, index) for index in self.method.outputs]

    def _output(self, run: Run, index: int) -> Any:
        value = run.read(index, f"an output of method {self.method.name}")
        return value.clone() if isinstance(value, torch.Tensor) else value

    def _step(self, instruction: Instruction, number: int) -> Step:
        if isinstance(instruction, KernelCall):
            if prims.known(self.method.operators[instruction.operator]):
                prim = prims.Prim(self.method, instruction, number)
                self._written.update(prim.writes)
                return prim
            kernel = Kernel(self.method, instruction, number, self._changing)
            self._written.update(kernel.writes)
            return kernel
        if isinstance(instruction, DelegateCall):
            return self._delegate(instruction, number)
        if isinstance(instruction, MoveCall):
            return self._move(instruction, number)
        if isinstance(instruction, JumpFalseCall):
            return self._jump(instruction, number)
        return _free(instruction)

    def _delegate(self, call: DelegateCall, number: int) -> Step:
        delegate = self.method.delegates[call.delegate]
        model, count = self._models[delegate.id]
        split = call.inputs if count is None else len(call.args) - count(delegate.blob)
        where = f"instruction {number} (delegate {delegate.id})"
        given, outputs = call.args[: max(split, 0)], call.args[max(split, 0) :]
        for index in outputs:
            spec = self.method.values[index]
            if split < 0 or not isinstance(spec, TensorSpec) or spec.constant:
                raise ModelError(f"{where} has outputs that its {len(call.args)} values are not")
        self._written.update(outputs)

        def step(run: Run) -> None:
            inputs = [run.read(index, where) for index in given]
            try:
                made = model(delegate.blob, inputs, delegate.compile_specs)
            except QsimError:
                raise
            except Exception as error:
                text = " ".join(str(error).split())[:300]
                raise ModelError(
                    f"{where}: its model failed with {type(error).__name__}: {text}"
                ) from error
            results = list(made) if isinstance(made, (tuple, list)) else [made]
            if len(results) != len(outputs):
                raise ModelError(
                    f"{where} returned {len(results)} outputs", accepted=str(len(outputs))
                )
            for index, result in zip(outputs, results, strict=True):
                run.put(index, _tensor(result, where), where)

        return step

    def _move(self, call: MoveCall, number: int) -> Step:
        source, target = (self.method.values[index] for index in (call.source, call.target))
        if type(source) is not type(target):
            raise ModelError(
                f"instruction {number} moves value {call.source} to value {call.target}, "
                "which is of another kind"
            )
        if isinstance(source, TensorSpec) and isinstance(target, TensorSpec):
            kinds = [(spec.dtype, len(spec.sizes)) for spec in (source, target)]
            if kinds[0] != kinds[1]:
                raise ModelError(f"instruction {number} moves {source} to {target}")
        self._written.add(call.target)
        return lambda run: run.move(call.source, call.target)

    def _jump(self, call: JumpFalseCall, number: int) -> Step:
        value = self.method.values[call.condition]
        flag = isinstance(value, bool) or (
            isinstance(value, TensorSpec) and value.dtype == torch.bool
        )
        where = f"instruction {number} (jump)"
        if not flag:
            raise ModelError(f"{where} depends on value {call.condition}", accepted="a flag")

        def step(run: Run) -> int | None:
            condition = run.read(call.condition, where)
            # As ExecuTorch's runtime: a tensor of flags is true if all of them are.
            true = bool(condition.all()) if isinstance(condition, torch.Tensor) else condition
            return None if true else call.target

        return step


def _free(call: FreeCall) -> Step:
    def step(run: Run) -> None:
        run.values[call.value] = None

    return step


def _tensor(result: Any, where: str) -> torch.Tensor:
    if isinstance(result, torch.Tensor):
        return result
    try:
        return torch.from_numpy(np.ascontiguousarray(result).reshape(np.shape(result)))
    except (TypeError, ValueError):
        raise ModelError(
            f"{where} returned a {type(result).__name__}", accepted="a tensor or an array"
        ) from None


def _changing(method: Method) -> frozenset[int]:
    """Return the values, not tensors, that an instruction of the method sets."""
    changed: set[int | None] = set()
    for chain in method.chains:
        for instruction in chain:
            if isinstance(instruction, MoveCall):
                changed.add(instruction.target)
            elif isinstance(instruction, KernelCall):
                name = method.operators[instruction.operator]
                if prims.known(name):
                    changed.add(prims.result(instruction, name))
    return frozenset(index for index in changed if index is not None)

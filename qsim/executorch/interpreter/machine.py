"""Running a method: instructions in their order, on the memories that its plan has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch

from qsim.errors import ModelError
from qsim.executorch.interpreter import prims
from qsim.executorch.interpreter.bound import BoundRun
from qsim.executorch.interpreter.delegate_call import DelegateStep
from qsim.executorch.interpreter.direct import AloneRun
from qsim.executorch.interpreter.flow import free, jump, move
from qsim.executorch.interpreter.kernels import Kernel
from qsim.executorch.interpreter.run import Run, State
from qsim.executorch.pte import (
    DelegateCall,
    FreeCall,
    Instruction,
    JumpFalseCall,
    KernelCall,
    Method,
    MoveCall,
    TensorSpec,
)

Step = Callable[[Run], int | None]
# Called after every instruction: the run, its chain and number, the values that it wrote.
Watch = Callable[[Run, tuple[int, int], Sequence[int]], object]
# A loop of a network ends long before; a damaged jump need not.
MAX_STEPS: Final = 10_000_000


class Interpreter:
    """One method, ready to run.

    Attributes:
        method: what the file says.
        alone: the method as one call of a delegate of ours, once it is known to be no more.

    Raises:
        ModelError: it calls what qsim does not have, or calls it with what does not fit.
    """

    def __init__(self, method: Method) -> None:
        self.method = method
        self._changing = _changing(method)
        self._written = set(method.inputs)
        self._chains = [
            [self._step(instruction, number) for number, instruction in enumerate(chain)]
            for chain in method.chains
        ]
        self._views = frozenset(range(len(method.values))) - self._written
        self._state = State(method)
        # Without jumps, runs differ in the numbers that they compute with and in nothing else.
        self._straight = not any(isinstance(item, JumpFalseCall) for item in _all(method))
        self._proved = False
        self._bound: Callable[[Sequence[Any]], list[Any]] | None = None
        self.alone: AloneRun | None = None

    def run(self, inputs: Sequence[Any], watch: Watch | None = None) -> list[Any]:
        """Return the outputs for inputs of the right number, types and shapes.

        Without jumps, who owns which byte follows from who owned it before the run. So a run that
        finds nothing, and ends as it began, has checked all later runs too: they check no more, and
        if every shape is fixed, they are the same calls on the same tensors.

        Raises:
            ModelError: an overwritten tensor is read, or an operator refuses its arguments.
        """
        if self._bound is not None and watch is None:
            return self._bound(inputs)
        return self._interpret(inputs, watch)

    def _interpret(self, inputs: Sequence[Any], watch: Watch | None = None) -> list[Any]:
        run = Run(self._state, self._views, checked=not self._proved)
        binder = _Binder(self.method) if self._straight and not self._proved else None
        owners = self._state.memory.owners() if binder is not None else None
        for index, value in zip(self.method.inputs, inputs, strict=True):
            if isinstance(value, torch.Tensor):
                run.put(index, value, "the input")
        places = [run.values[index] for index in self.method.inputs]
        self._execute(run, binder, watch)
        outputs = [self._read(run, index) for index in self.method.outputs]
        if binder is not None and owners == self._state.memory.owners():
            self._proved = True
            self.alone = self._alone()
            self._bound = self.alone or binder.finish(places, outputs)
        return [value.clone() if isinstance(value, torch.Tensor) else value for value in outputs]

    def _execute(self, run: Run, binder: _Binder | None, watch: Watch | None) -> None:
        steps = 0
        for number, chain in enumerate(self._chains):
            at = 0
            while at < len(chain):
                run.instruction = at
                step = chain[at]
                target = step(run)
                if binder is not None:
                    binder.after(run, step)
                if watch is not None:
                    watch(run, (number, at), getattr(step, "writes", ()))
                at = at + 1 if target is None else target
                steps += 1
                if steps > MAX_STEPS:
                    raise ModelError(f"method {self.method.name} has not ended in {steps} steps")

    def _alone(self) -> AloneRun | None:
        """Return the method as one delegate of ours, if it is nothing else."""
        steps = [step for chain in self._chains for step in chain]
        step = steps[0] if len(steps) == 1 else None
        if not isinstance(step, DelegateStep):
            return None
        outputs = [self.method.values[index] for index in step.writes]
        plain = [
            spec
            for spec in outputs
            if isinstance(spec, TensorSpec) and spec.dim_order == tuple(range(len(spec.sizes)))
        ]
        ends = (self.method.inputs, self.method.outputs) == (step.inputs, step.writes)
        function = step.function() if ends and len(plain) == len(outputs) else None
        inputs = [self.method.values[index] for index in step.inputs]
        tensors = [spec for spec in inputs if isinstance(spec, TensorSpec)]
        if function is None or len(tensors) < len(inputs):
            return None
        return AloneRun(function, tensors, plain, self._interpret)

    def _read(self, run: Run, index: int) -> Any:
        return run.read(index, f"an output of method {self.method.name}")

    def _step(self, instruction: Instruction, number: int) -> Step:
        if isinstance(instruction, MoveCall):
            self._written.add(instruction.target)
            return move(self.method, instruction, number)
        if isinstance(instruction, JumpFalseCall):
            return jump(self.method, instruction, number)
        if isinstance(instruction, FreeCall):
            return free(instruction)
        step: Kernel | DelegateStep | prims.Prim
        if isinstance(instruction, DelegateCall):
            step = DelegateStep(self.method, instruction, number)
        elif prims.known(self.method.operators[instruction.operator]):
            step = prims.Prim(self.method, instruction, number)
        else:
            step = Kernel(self.method, instruction, number, self._changing)
        self._written.update(step.writes)
        return step


class _Binder:
    """Collects the calls of a run with their arguments, as long as all of them are fixed."""

    def __init__(self, method: Method) -> None:
        self._calls: list[Callable[[], object]] = []
        self._able = not any(
            isinstance(value, TensorSpec) and value.dynamic for value in method.values
        )

    def after(self, run: Run, step: Step) -> None:
        """Bind what an instruction has just done."""
        if not self._able:
            return
        if isinstance(step, (Kernel, DelegateStep)):
            bound = step.bind(run)
            if bound is None:
                self._able = False
            else:
                self._calls.append(bound)
        elif isinstance(step, prims.Prim):
            # What a view did is in the values that later calls are bound to, as with move and free.
            self._able = step.name == "executorch_prim::et_view.default"

    def finish(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> BoundRun | None:
        """Return the run, if all of it is fixed.

        Args:
            inputs: the values that inputs are copied into.
            outputs: the values that are returned.
        """
        return BoundRun(inputs, self._calls, outputs) if self._able else None


def _all(method: Method) -> list[Instruction]:
    return [instruction for chain in method.chains for instruction in chain]


def _changing(method: Method) -> frozenset[int]:
    """Return the values, not tensors, that an instruction of the method sets."""
    changed: set[int | None] = set()
    for instruction in _all(method):
        if isinstance(instruction, MoveCall):
            changed.add(instruction.target)
        elif isinstance(instruction, KernelCall):
            name = method.operators[instruction.operator]
            if prims.known(name):
                changed.add(prims.result(instruction, name))
    return frozenset(index for index in changed if index is not None)

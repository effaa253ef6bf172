"""A ``.pte`` file as a Python function."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

from qsim.errors import FileFormatError, InputError, ModelError, QsimError, UsageError
from qsim.executorch import adapter
from qsim.executorch.inputs import checked
from qsim.executorch.interpreter import Interpreter
from qsim.executorch.pte import TensorSpec, read_bytes, read_methods, usual

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from qsim.executorch.interpreter import Watch
    from qsim.executorch.pte import Method, Value


class Pte:
    """A program: call it like the module that it was made from.

    Attributes:
        path: the file; empty for a program from bytes.
        methods: names of its entry points.
    """

    def __init__(self, data: bytes, external: Sequence[bytes] = (), path: str = "") -> None:
        self.path = path
        read = read_methods(data, external)
        if not read:
            raise FileFormatError("it has no method: the file is damaged")
        self._methods: dict[str, Method] = {method.name: method for method in read}
        if len(self._methods) != len(read):
            raise FileFormatError("two methods have one name: the file is damaged")
        self._interpreters = {name: Interpreter(found) for name, found in self._methods.items()}
        self._accepted = {name: self.inputs_of(name) for name in self._methods}

    def reset(self) -> None:
        """Begin again: buffers that it writes into hold what they held when it was loaded."""
        self._interpreters = {name: Interpreter(found) for name, found in self._methods.items()}

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of its entry points."""
        return tuple(self._methods)

    @property
    def plans(self) -> Mapping[str, Method]:
        """Its methods by name, as plain values: what they compute on, and in which order."""
        return MappingProxyType(self._methods)

    @property
    def inputs(self) -> tuple[Value, ...]:
        """What ``forward``, or the only method, takes: see ``inputs_of``."""
        return self.inputs_of(self._default())

    @property
    def outputs(self) -> tuple[Value, ...]:
        """What ``forward``, or the only method, returns: see ``outputs_of``."""
        return self.outputs_of(self._default())

    @property
    def delegates(self) -> tuple[str, ...]:
        """The backends of its delegates, in the order of the file, each time one appears."""
        return tuple(
            delegate.id for method in self._methods.values() for delegate in method.delegates
        )

    @property
    def operators(self) -> tuple[str, ...]:
        """The operators that run outside delegates, each once, sorted."""
        return tuple(sorted({name for m in self._methods.values() for name in m.operators}))

    def inputs_of(self, method: str) -> tuple[Value, ...]:
        """Return what a method takes: a ``TensorSpec`` each, or a value that the program fixes."""
        found = self._method(method)
        return tuple(found.values[index] for index in found.inputs)

    def outputs_of(self, method: str) -> tuple[Value, ...]:
        """Return what a method returns, as ``inputs_of`` does."""
        found = self._method(method)
        return tuple(found.values[index] for index in found.outputs)

    def __call__(self, *inputs: Any, method: str | None = None) -> Any:
        """Run a method.

        Args:
            inputs: torch tensors or NumPy arrays; numbers and flags where the program was made
                with these very values.
            method: its name; None for ``forward``, or for the only one.

        Returns:
            One output as it is, several as a tuple, none as None: torch tensors, and numbers or
            flags where the program returns such.

        Raises:
            UsageError: there is no such method.
            InputError: a wrong number of inputs, or one of a wrong type or shape.
            ModelError: a tensor is read after the plan gave its bytes away, or an operator or a
                delegate's model refuses its arguments.
        """
        outputs = self._run(inputs, method, None)
        if not outputs:
            return None
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def watch(self, inputs: Sequence[Any], watch: Watch, method: str | None = None) -> list[Any]:
        """Run a method and show every instruction's results; arguments and errors as a call's.

        Args:
            inputs: as a call's.
            watch: called as ``watch(run, (chain, number), writes)`` after every instruction; the
                values are in ``run.values``, by index, until the next instruction.
            method: as a call's.

        Returns:
            The outputs, always a list.
        """
        return self._run(inputs, method, watch)

    def _run(self, inputs: Sequence[Any], method: str | None, watch: Watch | None) -> list[Any]:
        name = method if method is not None else self._default()
        accepted = self._accepted.get(name)
        if accepted is None:
            accepted = self.inputs_of(name)  # which says that there is no such method
        if len(inputs) != len(accepted):
            raise InputError(
                f"method {name} got {len(inputs)} inputs",
                where=self.path,
                accepted=str(len(accepted)),
            )
        interpreter = self._interpreters[name]
        alone = interpreter.alone if watch is None else None
        try:
            made = None if alone is None else alone.take(inputs)
            if made is None:
                given = self._checked(inputs, accepted)
                made = interpreter.run(given, watch)
        except ModelError as error:
            raise ModelError(error.message, where=self.path, accepted=error.accepted) from error
        return made

    def _checked(self, given: Sequence[Any], accepted: Sequence[Value]) -> list[Any]:
        return [
            value
            if _as_it_is(value, spec)
            else checked(value, spec, f"{self.path}: input {index}".removeprefix(": "))
            for index, (value, spec) in enumerate(zip(given, accepted, strict=True))
        ]

    def _default(self) -> str:
        return usual(self._methods)

    def _method(self, name: str) -> Method:
        found = self._methods.get(name)
        if found is None:
            raise UsageError(
                f"it has no method {name!r}", where=self.path, accepted=", ".join(self._methods)
            )
        return found

    def __repr__(self) -> str:
        return f"Pte({self.path!r}, methods={self.methods})"


def _as_it_is(value: Any, spec: Value) -> bool:
    """Return whether a value is what a program takes, so that nothing need be done to it."""
    return (
        isinstance(spec, TensorSpec)
        and type(value) is torch.Tensor
        and value.dtype is spec.dtype
        and value.shape == spec.sizes
        and not value.requires_grad
        and value.layout is torch.strided
        and value.is_cpu
    )


def load(path: str | os.PathLike[str], data: Sequence[str | os.PathLike[str]] = ()) -> Pte:
    """Read a ``.pte`` and check all of it, so that running it cannot fail for the file's sake.

    Args:
        path: the program.
        data: ``.ptd`` files with the constants that it keeps outside.

    Raises:
        FileFormatError: a file is missing, truncated, damaged or of another version.
        ModelError: it calls an operator that qsim does not run, or a backend without a model.
        MissingToolError: ExecuTorch is not installed, or is of another version.
    """
    adapter.check()
    where = str(path)
    program = read_bytes(path, "a .pte file")
    if isinstance(data, (str, Path)):
        data = (data,)
    external = [read_bytes(each, "a .ptd file") for each in data]
    try:
        return Pte(program, external, where)
    except QsimError as error:
        error.where = error.where or where
        raise

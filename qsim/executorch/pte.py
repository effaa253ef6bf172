"""A ``.pte`` file as a Python function."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsim.errors import FileFormatError, InputError, ModelError, QsimError, UsageError
from qsim.executorch import adapter, container, plan
from qsim.executorch.external import External
from qsim.executorch.method import TensorSpec
from qsim.executorch.tensors import Data

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from qsim.executorch.interpreter import Interpreter
    from qsim.executorch.method import Method, Value


class Pte:
    """A program: call it like the module that it was made from.

    Attributes:
        path: the file; empty for a program from bytes.
        methods: names of its entry points.
    """

    def __init__(self, data: bytes, external: Sequence[bytes] = (), path: str = "") -> None:
        self.path = path
        whole = container.read_pte(data)
        source = External(whole, external)
        tables = whole.root["execution_plan"]
        if not tables:
            raise FileFormatError("it has no method: the file is damaged")
        read = [plan.read(table, Data(whole, source.find)) for table in tables]
        self._methods: dict[str, Method] = {method.name: method for method in read}
        if len(self._methods) != len(read):
            raise FileFormatError("two methods have one name: the file is damaged")
        self._interpreters: dict[str, Interpreter] = {}
        for name in self._methods:
            self._interpreter(name)

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of its entry points."""
        return tuple(self._methods)

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
        name = method if method is not None else self._default()
        accepted = self.inputs_of(name)
        if len(inputs) != len(accepted):
            raise InputError(
                f"method {name} got {len(inputs)} inputs",
                where=self.path,
                accepted=str(len(accepted)),
            )
        given = [
            _input(value, spec, f"{self.path}: input {index}".removeprefix(": "))
            for index, (value, spec) in enumerate(zip(inputs, accepted, strict=True))
        ]
        try:
            outputs = self._interpreter(name).run(given)
        except ModelError as error:
            raise ModelError(error.message, where=self.path, accepted=error.accepted) from error
        if not outputs:
            return None
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _default(self) -> str:
        return "forward" if "forward" in self._methods else next(iter(self._methods))

    def _method(self, name: str) -> Method:
        found = self._methods.get(name)
        if found is None:
            raise UsageError(
                f"it has no method {name!r}", where=self.path, accepted=", ".join(self._methods)
            )
        return found

    def _interpreter(self, name: str) -> Interpreter:
        from qsim.executorch.interpreter import Interpreter

        found = self._interpreters.get(name)
        if found is None:
            found = self._interpreters[name] = Interpreter(self._method(name))
        return found

    def __repr__(self) -> str:
        return f"Pte({self.path!r}, methods={self.methods})"


def _input(value: Any, spec: Value, where: str) -> Any:
    """Return one input as a torch tensor on the CPU, or the value that the program fixes."""
    import numpy as np
    import torch

    from qsim.executorch.run import fits

    if not isinstance(spec, TensorSpec):
        if type(value) is type(spec) and value == spec:
            return value
        raise InputError(f"is {value!r}", where=where, accepted=f"{spec!r}, as exported")
    if isinstance(value, np.ndarray):
        value = _from_numpy(value, where, spec)
    if not isinstance(value, torch.Tensor):
        raise InputError(f"is a {type(value).__name__}", where=where, accepted=str(spec))
    if value.dtype != spec.dtype or not fits(tuple(value.shape), spec):
        shown = f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
        raise InputError(f"is {shown}", where=where, accepted=str(spec))
    return value.detach().cpu()


def _from_numpy(value: Any, where: str, spec: TensorSpec) -> Any:
    import torch

    try:
        # A copy: arrays may be read-only or of the other byte order, which torch warns of.
        return torch.from_numpy(value.astype(value.dtype.newbyteorder("="), copy=True, order="C"))
    except TypeError:
        raise InputError(f"is an array of {value.dtype}", where=where, accepted=str(spec)) from None


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
    program = container.read_bytes(path, "a .pte file")
    if isinstance(data, (str, Path)):
        data = (data,)
    external = [container.read_bytes(each, "a .ptd file") for each in data]
    try:
        return Pte(program, external, where)
    except QsimError as error:
        raise type(error)(
            error.message, where=error.where or where, accepted=error.accepted
        ) from None

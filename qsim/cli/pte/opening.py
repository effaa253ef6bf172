"""Opens ``.pte`` and ``.bpte`` files for the commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qsim.cli.pte import facts
from qsim.cli.pte.arguments import Argument, arguments
from qsim.errors import QsimError, UsageError
from qsim.executorch.pte import DelegateCall, TensorSpec, is_parameter, read_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qsim.cli.pte.facts import Parameters, Part
    from qsim.executorch import BundledCase, Pte
    from qsim.executorch.pte import Method, Value
    from qsim.network import ValueSpec


@dataclass(frozen=True)
class Opened:
    """A program, and the method that a command is about.

    Attributes:
        path: the file.
        pte: the program.
        method: its method.
        parts: the method's delegates.
        cases: of a bundled program; empty for a plain one.
    """

    path: Path
    pte: Pte
    method: Method
    parts: list[Part]
    cases: tuple[BundledCase, ...] = ()

    @property
    def inputs(self) -> list[Value]:
        """What the method takes."""
        return [self.method.values[index] for index in self.method.inputs]

    @property
    def outputs(self) -> list[Value]:
        """What it returns."""
        return [self.method.values[index] for index in self.method.outputs]

    @property
    def integer_io(self) -> bool:
        """Whether no input and no output is float."""
        boundary = (*self.inputs, *self.outputs)
        tensors = [value for value in boundary if isinstance(value, TensorSpec)]
        return bool(tensors) and not any(spec.dtype.is_floating_point for spec in tensors)

    def target(self) -> Any:
        """Return the target of its delegates; None where it has none of ours, or of several."""
        targets = {
            part.network.target.hash: part.network.target for part in self.parts if part.network
        }
        return next(iter(targets.values())) if len(targets) == 1 else None

    def arguments(self) -> list[Argument]:
        """Return what the method takes, with what the file and its delegates say of it."""
        stated = facts.parameters(self.pte.plans, self.method.name)
        taken = _taken_by_delegates(self.method, self.parts)
        ranges = [_range(stated.get(("input", place))) for place in range(len(self.inputs))]
        return arguments(self.inputs, ranges, [taken.get(index) for index in self.method.inputs])


def open_program(path: Path, data: Sequence[Path], method: str | None) -> Opened:
    """Read a program and check all of it.

    Args:
        path: a ``.pte`` or a ``.bpte``.
        data: ``.ptd`` files.
        method: the method's name; None for ``forward``, or for the only one.

    Raises:
        QsimError: whatever is wrong with the file, or there is no such method.
    """
    try:
        return _open(path, data, method)
    except QsimError as error:
        error.where = place(error, path)
        raise


def place(error: QsimError, path: Path) -> str:
    """Return where an error is, the file included."""
    if str(path) in error.where or error.where.startswith("--"):
        return error.where
    return f"{path}: {error.where}".removesuffix(": ")


def _open(path: Path, data: Sequence[Path], method: str | None) -> Opened:
    from qsim.executorch import load, read_bundle

    if path.suffix == ".bpte":
        bundle = read_bundle(path)
        pte = bundle.load([read_bytes(each, "a .ptd file") for each in data])
        # Without a name, the cases decide: there need be no `forward`.
        usual = method or next((case.method for case in bundle.cases), None)
        chosen = choose_method(pte.plans, usual, str(path))
        return Opened(path, pte, chosen, facts.parts_of(chosen), bundle.cases)
    pte = load(path, data)
    chosen = choose_method(pte.plans, method, str(path))
    return Opened(path, pte, chosen, facts.parts_of(chosen))


def choose_method(methods: Any, name: str | None, where: str) -> Any:
    """Return one of a program's methods.

    Raises:
        UsageError: there is no such method, or there are several, none is called ``forward``, and
            none was chosen.
    """
    own = {each: method for each, method in methods.items() if not is_parameter(each)}
    if name is not None and name in methods:
        return methods[name]
    if name is None and len(own) == 1:
        return next(iter(own.values()))
    if name is None and "forward" in methods:
        return methods["forward"]
    problem = f"has no method {name!r}" if name else "has several methods"
    raise UsageError(problem, where=where, accepted=f"--method {' or '.join(own) or 'NAME'}")


def _range(found: Parameters | None) -> tuple[int, int] | None:
    if found is None or found.least is None or found.most is None:
        return None
    return found.least, found.most


def _taken_by_delegates(method: Method, parts: Sequence[Part]) -> dict[int, ValueSpec]:
    """Return what our delegates say of each value that they take."""
    found: dict[int, ValueSpec] = {}
    for chain in method.chains:
        for instruction in chain:
            if not isinstance(instruction, DelegateCall):
                continue
            network = parts[instruction.delegate].network
            if network is None:
                continue
            tensors = [
                index for index in instruction.args if isinstance(method.values[index], TensorSpec)
            ]
            found |= dict(zip(tensors, network.inputs, strict=False))
    return found

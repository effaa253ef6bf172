"""What an ExecuTorch file holds, read without its external data, a kernel or a model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from qsim.cli.pte import facts
from qsim.cli.pte.opening import place
from qsim.errors import QsimError
from qsim.executorch.pte import (
    Method,
    TensorSpec,
    constant_of,
    is_parameter,
    read_bytes,
    read_methods,
)

if TYPE_CHECKING:
    from pathlib import Path

    from qsim.cli.pte.facts import Part


class _Absent:
    """Stands for bytes outside the file: as many as anybody asks for, none of them readable."""

    def __len__(self) -> int:
        return 1 << 62

    def __getitem__(self, _key: slice) -> _Absent:
        return self


@dataclass
class Contents:
    """A file, read without its external data and without a kernel or a model.

    Attributes:
        path: the file.
        size: its bytes.
        methods: by name; constant methods included.
        parts: the delegates of each method.
        absent: names of data that the file keeps outside.
        cases: how many test cases a bundled program has for each method; empty for a ``.pte``.
    """

    path: Path
    size: int
    methods: dict[str, Method] = field(default_factory=dict)
    parts: dict[str, list[Part]] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    cases: dict[str, int] = field(default_factory=dict)

    def own(self) -> list[Method]:
        """Return the methods that compute, without those that state a constant."""
        return [each for each in self.methods.values() if constant_of(each) is None]

    def stated(self) -> dict[str, Any]:
        """Return the constants that methods state, other than quantization parameters."""
        values = {name: constant_of(each) for name, each in self.methods.items()}
        return {
            name: value
            for name, value in values.items()
            if value is not None and not is_parameter(name)
        }


def read(path: Path) -> Contents:
    """Read a ``.pte`` or a ``.bpte``.

    Raises:
        FileFormatError: it is missing, damaged or of another version.
        MissingToolError: ExecuTorch is not installed.
    """
    from qsim.executorch import adapter

    adapter.check()
    data = read_bytes(path, "a .pte or .bpte file")
    found = Contents(path, len(data))
    try:
        if path.suffix == ".bpte":
            from qsim.executorch import read_bundle

            bundle = read_bundle(data)
            data = bundle.program
            found.cases = dict(Counter(case.method for case in bundle.cases))
        return _read(found, data)
    except QsimError as error:
        error.where = place(error, path)
        raise


def _read(found: Contents, data: bytes) -> Contents:
    def absent(key: str) -> memoryview:
        found.absent.append(key)
        return cast("memoryview", _Absent())

    for method in read_methods(data, absent=absent):
        found.methods[method.name] = method
        found.parts[method.name] = facts.parts_of(method)
    return found


def constant_bytes(method: Method) -> tuple[int, int]:
    """Return the bytes of a method's own constants in the file, and of those outside."""
    constants = [spec for spec in method.values if isinstance(spec, TensorSpec) and spec.constant]
    away = sum(spec.nbytes for spec in constants if isinstance(spec.data, _Absent))
    return sum(spec.nbytes for spec in constants) - away, away

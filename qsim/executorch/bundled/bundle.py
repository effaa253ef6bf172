"""Bundled programs: a ``.pte`` together with inputs and the outputs that it must make of them.

bundle = qsim.executorch.read_bundle("net.bpte")
bundle.program, bundle.cases, [result.ok for result in bundle.check()]
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import FileFormatError, InputError, QsimError, UsageError
from qsim.executorch import adapter
from qsim.executorch.bundled import values as bundled_values
from qsim.executorch.bundled.methods import Signature, signatures
from qsim.executorch.pte import container
from qsim.executorch.pte.flatbuffers import fbs, flatbuffer, flatbuffer_write
from qsim.executorch.pte.method import TensorSpec

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from qsim.executorch.bundled.check import CaseResult
    from qsim.executorch.bundled.values import CaseValue
    from qsim.executorch.pte.flatbuffers.flatbuffer import Table
    from qsim.executorch.pte.method import Value
    from qsim.executorch.pte.pte import Pte
    from qsim.golden import GoldenSet

_ALIGNMENT: Final = {"BundledProgram.program": 32, "Tensor.data": 16}
_PTE: Final = b"ET12"


@dataclass(frozen=True, slots=True, eq=False)
class BundledCase:
    """One call of a method, and what it must return.

    Attributes:
        method: ``forward``, for one.
        inputs: one value per input: a tensor (or an array), or the number or flag that the program
            was made with.
        expected: one tensor per output; None for a case that is only run.
    """

    method: str
    inputs: tuple[Any, ...]
    expected: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A program with its cases.

    Attributes:
        program: the bytes of the ``.pte``.
        cases: in the order of the file: method by method.
        path: the file; empty for a bundle from bytes.
    """

    program: bytes
    cases: tuple[BundledCase, ...]
    path: str = ""

    def load(self, data: Sequence[bytes] = ()) -> Pte:
        """Return the program, ready to run.

        Args:
            data: the bytes of ``.ptd`` files with the constants that it keeps outside.

        Raises:
            QsimError: as ``qsim.executorch.load``.
        """
        from qsim.executorch.pte.pte import Pte

        try:
            return Pte(self.program, data, self.path)
        except QsimError as error:
            error.where = error.where or self.path
            raise

    def check(self, pte: Pte | None = None) -> list[CaseResult]:
        """Run every case, in order, and compare every bit.

        Args:
            pte: what runs them instead of the bundle's own program, such as the program of another
                backend, or one that was loaded with its ``.ptd`` files.

        Returns:
            One result per case: ``.ok``, and ``.differences`` with the first element that differs.

        Raises:
            QsimError: the program cannot be loaded or run, or ``pte`` has other inputs.
        """
        from qsim.executorch.bundled.check import check

        return check(self.cases, self.load() if pte is None else pte)

    def to_golden(self, directory: str | os.PathLike[str], *, force: bool = False) -> GoldenSet:
        """Write the cases as a golden set: see ``qsim.executorch.bundled.golden.write_set``."""
        from qsim.executorch.bundled.golden import write_set

        try:
            return write_set(self, directory, force=force)
        except QsimError as error:
            error.where = error.where or self.path
            raise


def bundle(program: bytes, cases: Iterable[BundledCase]) -> bytes:
    """Return a bundled program, as ExecuTorch's runtime and tools read it.

    Args:
        program: the bytes of a ``.pte``; its backends need no Python model here.
        cases: of any of its methods. Those of one method keep their order, by which ExecuTorch
            counts them; methods are sorted by name, as ExecuTorch's own tool does.

    Raises:
        FileFormatError: the program is no ``.pte``, or damaged.
        UsageError: a case of a method that the program does not have; or 2 GiB and more.
        InputError: a value of another number, type or shape than the program's, or an expected
            output where the program returns no tensor.
    """
    known = signatures(program)
    suites: dict[str, list[Table]] = {}
    for case in cases:
        signature = known.get(case.method)
        if signature is None:
            raise UsageError(f"it has no method {case.method!r}", accepted=", ".join(known))
        suite = suites.setdefault(case.method, [])
        suite.append(_case_table(case, signature, f"{case.method}: case {len(suite)}"))
    root: Table = {
        "version": adapter.BUNDLE_VERSION,
        "method_test_suites": [
            {"method_name": name, "test_cases": suites[name]} for name in sorted(suites)
        ],
        "program": program,
    }
    return flatbuffer_write.write(root, _schema(), _ALIGNMENT)


def read_bundle(source: str | os.PathLike[str] | bytes) -> Bundle:
    """Read a bundled program and check all of it: cases fit the methods that they are for.

    Args:
        source: the path of a ``.bpte`` file, or its bytes.

    Raises:
        FileFormatError: it is missing, no bundled program, truncated, damaged or of another
            version, or a case does not fit the program.
        MissingToolError: ExecuTorch is not installed, or is of another version.
    """
    adapter.check()
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _read(bytes(source), "")
    data = container.read_bytes(source, "a .bpte file")
    try:
        return _read(data, str(source))
    except QsimError as error:
        error.where = error.where or str(source)
        raise


@lru_cache(maxsize=1)
def _schema() -> fbs.Schema:
    return fbs.parse(adapter.schema_text("bundled_program"))


def _read(data: bytes, path: str) -> Bundle:
    if data[4:8] == _PTE:
        raise FileFormatError(
            "it is a program without cases",
            accepted="a .bpte file; qsim.executorch.load reads a .pte",
        )
    if data[4:8] != _schema().identifier:
        raise FileFormatError("it is no bundled program", accepted="a .bpte file")
    root = flatbuffer.read(memoryview(data), _schema())
    if root["version"] != adapter.BUNDLE_VERSION:
        raise FileFormatError(
            f"it is a bundled program of version {root['version']}",
            accepted=f"version {adapter.BUNDLE_VERSION}, as ExecuTorch {adapter.VERSION} writes",
        )
    program = bytes(root["program"])
    known = signatures(program)
    seen: set[str] = set()
    cases: list[BundledCase] = []
    for suite in root["method_test_suites"]:
        name = suite["method_name"] or ""
        if name not in known or name in seen:
            which = "a second time" if name in seen else "and its program has no such method"
            raise FileFormatError(f"it has cases of method {name[:80]!r}, {which}")
        seen.add(name)
        cases += [
            _case(table, name, known[name], f"{name}: case {index}")
            for index, table in enumerate(suite["test_cases"])
        ]
    return Bundle(program, tuple(cases), path)


def _case(table: Table, method: str, signature: Signature, what: str) -> BundledCase:
    """Return a case after checking it against its method."""
    sides: list[tuple[CaseValue, ...]] = []
    for side, specs in (("inputs", signature.inputs), ("expected_outputs", signature.outputs)):
        entries = table[side]
        given = side == "inputs"
        if len(entries) != len(specs) and (given or entries):
            raise FileFormatError(
                f"{what} has {len(entries)} {side.replace('_', ' ')}",
                accepted=f"{len(specs)}, as the program",
            )
        noun = "input" if given else "output"
        sides.append(
            tuple(
                bundled_values.read(entry, spec, f"{what}: {noun} {index}", given=given)
                for index, (entry, spec) in enumerate(zip(entries, specs, strict=False))
            )
        )
    # ExecuTorch writes a case that is only run as one without outputs.
    return BundledCase(method, sides[0], sides[1] or None)


def _case_table(case: BundledCase, signature: Signature, what: str) -> Table:
    for index, spec in enumerate(signature.outputs):
        if case.expected is not None and not isinstance(spec, TensorSpec):
            raise InputError(
                f"the program returns {spec!r}",
                where=f"{what}: output {index}",
                accepted="tensors, which is all that ExecuTorch's runtime compares",
            )
    return {
        "inputs": _tables(case.inputs, signature.inputs, what, "input"),
        "expected_outputs": _tables(case.expected, signature.outputs, what, "output"),
    }


def _tables(
    values: Sequence[Any] | None, specs: Sequence[Value], what: str, noun: str
) -> list[Table]:
    if values is None:
        return []
    if len(values) != len(specs):
        raise InputError(f"has {len(values)} {noun}s", where=what, accepted=str(len(specs)))
    return [
        bundled_values.to_table(value, spec, f"{what}: {noun} {index}")
        for index, (value, spec) in enumerate(zip(values, specs, strict=True))
    ]

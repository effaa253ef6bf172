"""The bytes of a bundled program: written as ExecuTorch does, read with every case checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.errors import FileFormatError, InputError, UsageError
from qsim.executorch import adapter
from qsim.executorch.bundled import values as bundled_values
from qsim.executorch.bundled.case import BundledCase
from qsim.executorch.pte import TensorSpec, flatbuffers, schema_of, signatures

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qsim.executorch.bundled.values import CaseValue
    from qsim.executorch.pte import Signature, Value
    from qsim.executorch.pte.flatbuffers import Table

_ALIGNMENT: Final = {"BundledProgram.program": 32, "Tensor.data": 16}
_PTE: Final = b"ET12"


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
    return flatbuffers.write(root, schema_of("bundled_program"), _ALIGNMENT)


def read(data: bytes) -> tuple[bytes, tuple[BundledCase, ...]]:
    """Return the program of a bundle, and its cases in the order of the file.

    Raises:
        FileFormatError: it is no bundled program, truncated, damaged or of another version, or a
            case does not fit the program.
    """
    schema = schema_of("bundled_program")
    if data[4:8] == _PTE:
        raise FileFormatError(
            "it is a program without cases",
            accepted="a .bpte file; qsim.executorch.load reads a .pte",
        )
    if data[4:8] != schema.identifier:
        raise FileFormatError("it is no bundled program", accepted="a .bpte file")
    root = flatbuffers.read(memoryview(data), schema)
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
    return program, tuple(cases)


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

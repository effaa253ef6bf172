"""What may be bundled, what is read, and how it is refused otherwise."""

from __future__ import annotations

import dataclasses
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import qsim.executorch
from qsim.errors import FileFormatError, InputError, ModelError, UsageError
from qsim.executorch import BundledCase, Pte, bundle, read_bundle, record_case
from qsim.executorch.bundled.calls import _constant, _program
from qsim.executorch.bundled.checking import difference
from qsim.executorch.bundled.file import _ALIGNMENT
from qsim.executorch.pte import schema_of
from qsim.executorch.pte.flatbuffers import read, write
from tests.qsim.executorch import pte_nets as nets
from tests.qsim.executorch.bundle_tools import dense, draw


@pytest.fixture(scope="module")
def program() -> bytes:
    return dense()


@pytest.fixture(scope="module")
def case(program: bytes) -> BundledCase:
    pte = Pte(program)
    return record_case(pte, *draw(pte, 0))


def changed(data: bytes, change: Any) -> bytes:
    """Return a bundle whose tables were changed."""
    root = read(memoryview(data), schema_of("bundled_program"))
    change(root)
    return write(root, schema_of("bundled_program"), _ALIGNMENT)


def first_value(root: Any, side: str = "inputs") -> Any:
    return root["method_test_suites"][0]["test_cases"][0][side][0]["val"][1]


def test_what_is_written_is_read(program: bytes, case: BundledCase, tmp_path: Path) -> None:
    only_run = dataclasses.replace(case, expected=None)
    data = bundle(program, [case, only_run])
    path = tmp_path / "net.bpte"
    path.write_bytes(data)
    found = read_bundle(path)
    assert (found.program, found.path) == (program, str(path))
    assert nets.same(found.cases[0].inputs, case.inputs)
    assert nets.same(found.cases[0].expected or (), case.expected or ())
    assert found.cases[1].expected is None
    results = found.check()
    assert [(r.ok, r.compared, r.index) for r in results] == [(True, True, 0), (True, False, 1)]
    assert nets.same(results[1].outputs, case.expected or ())
    assert changed(data, lambda root: None) == data
    assert read_bundle(bundle(program, [])).check() == []


def test_arrays_are_taken_as_tensors(program: bytes, case: BundledCase) -> None:
    arrays = tuple(value.numpy().astype(">f4") for value in case.inputs)
    given = dataclasses.replace(case, inputs=arrays)
    assert bundle(program, [given]) == bundle(program, [case])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"method": "backward"}, UsageError, r"no method 'backward' \(accepted: forward\)"),
        ({"inputs": ()}, InputError, r"forward: case 0: has 0 inputs \(accepted: 1\)"),
        (
            {"inputs": (torch.zeros(3, 5),)},
            InputError,
            r"case 0: input 0: is float32 \[3, 5\] \(accepted: float32 \[3, 4\]\)",
        ),
        ({"inputs": (torch.zeros(3, 4).double(),)}, InputError, r"input 0: is float64 \[3, 4\]"),
        ({"inputs": ([1.0],)}, InputError, "input 0: is a list"),
        ({"inputs": (np.zeros((3, 4), "U1"),)}, InputError, "input 0: is an array of <U1"),
        ({"expected": (torch.zeros(3, 3),)}, InputError, r"has 1 outputs \(accepted: 2\)"),
        ({"expected": (torch.zeros(3, 3), torch.zeros(3))}, InputError, r"output 1: is .*\[3\]"),
    ],
)
def test_what_cannot_be_bundled(
    program: bytes, case: BundledCase, changes: dict[str, Any], error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        bundle(program, [dataclasses.replace(case, **changes)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: root.update(version=3), r"of version 3 \(accepted: version 2"),
        (lambda root: root.update(program=b"no program"), "does not begin as a file of kind ET12"),
        (
            lambda root: root["method_test_suites"][0].update(method_name="other"),
            "cases of method 'other', and its program has no such method",
        ),
        (
            lambda root: root.update(method_test_suites=root["method_test_suites"] * 2),
            "cases of method 'forward', a second time",
        ),
        (
            lambda root: root["method_test_suites"][0]["test_cases"][0].update(inputs=()),
            r"forward: case 0 has 0 inputs \(accepted: 1, as the program\)",
        ),
        (
            lambda root: root["method_test_suites"][0]["test_cases"][0].update(
                expected_outputs=root["method_test_suites"][0]["test_cases"][0]["inputs"]
            ),
            r"forward: case 0 has 1 expected outputs \(accepted: 2",
        ),
        (
            lambda root: first_value(root).update(sizes=(4, 3)),
            r"case 0: input 0 is FLOAT \[4, 3\] \(accepted: float32 \[3, 4\], as in the program",
        ),
        (lambda root: first_value(root).update(sizes=(-3, -4)), r"is FLOAT \[-3, -4\]"),
        (lambda root: first_value(root).update(scalar_type="CHAR"), "input 0 is CHAR"),
        (lambda root: first_value(root).update(scalar_type="QINT8"), "input 0 is QINT8"),
        (
            lambda root: first_value(root).update(dim_order=b"\1\0"),
            r"has dim order \[1, 0\] \(accepted: \[0, 1\]",
        ),
        (lambda root: first_value(root).update(dim_order=b"\0\0"), r"has dim order \[0, 0\]"),
        (lambda root: first_value(root).update(data=b"1234"), "and has 4 bytes of data: the file"),
        (
            lambda root: first_value(root, "expected_outputs").update(sizes=(9,)),
            r"output 0 is FLOAT \[9\]",
        ),
        (
            lambda root: root["method_test_suites"][0]["test_cases"][0]["inputs"][0].update(
                val=("Int", {"int_val": 3})
            ),
            r"input 0 is 3 \(accepted: float32 \[3, 4\]",
        ),
        (
            lambda root: root["method_test_suites"][0]["test_cases"][0]["inputs"][0].update(
                val=None
            ),
            "input 0 is of no kind",
        ),
    ],
)
def test_what_a_file_may_not_say(
    program: bytes, case: BundledCase, change: Any, message: str
) -> None:
    with pytest.raises(FileFormatError, match=message):
        read_bundle(changed(bundle(program, [case]), change))


def test_what_is_no_bundle(program: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.bpte"
    path.write_bytes(program)
    with pytest.raises(FileFormatError, match=r"net.bpte: it is a program without cases .*load"):
        read_bundle(path)
    path.write_bytes(b"something else")
    with pytest.raises(FileFormatError, match=r"it is no bundled program \(accepted: a .bpte"):
        read_bundle(path)
    with pytest.raises(FileFormatError, match="cannot be read: no such file"):
        read_bundle(tmp_path / "absent.bpte")
    with pytest.raises(FileFormatError, match="does not begin as a file of kind ET12"):
        bundle(b"no program", [])


def test_flags_are_zero_or_one() -> None:
    class Not(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return ~x

    flags = torch.tensor([True, False])
    data = bytes(nets.program(Not(), (flags,)).buffer)
    bundled = bundle(data, [BundledCase("forward", (flags,), (~flags,))])
    assert read_bundle(bundled).check()[0].ok
    with pytest.raises(FileFormatError, match=r"and has byte 7 \(accepted: 0 and 1\)"):
        read_bundle(changed(bundled, lambda root: first_value(root).update(data=b"\7\0")))


def test_another_program_may_run_the_cases(program: bytes, case: BundledCase) -> None:
    bundled = read_bundle(bundle(program, [case]))
    (result,) = bundled.check(Pte(program.replace(b"aten::relu", b"aten::tanh")))
    assert [item.output for item in result.differences] == [0]
    constant = Pte(_program([_constant("name", "text")], []))
    with pytest.raises(UsageError, match=r"^forward: case 0: it has no method 'forward' \(acc"):
        bundled.check(constant)


def test_a_backend_without_a_model_is_missed_only_to_run(program: bytes, case: BundledCase) -> None:
    """Reading and writing need no kernel and no backend."""
    strange = program.replace(b"aten::relu", b"aten::none")
    bundled = read_bundle(bundle(strange, [case]))
    assert len(bundled.cases) == 1
    with pytest.raises(ModelError, match="aten::none"):
        bundled.check()


@pytest.mark.parametrize(
    ("expected", "got", "message"),
    [
        (torch.tensor([0.0]), torch.tensor([-0.0]), r"at \[0\]: expected 0.0, got -0.0; 1 of 1"),
        (torch.tensor([1, 2]), torch.tensor([1, 3]), r"at \[1\]: expected 2, got 3; 1 of 2"),
        (torch.tensor([1]), torch.tensor([1.0]), r"is float32 \[1\], int64 \[1\] is expected"),
        (torch.zeros(2), torch.zeros(1, 2), r"is float32 \[1, 2\], float32 \[2\] is expected"),
        (torch.tensor(7, dtype=torch.uint16), torch.tensor(8, dtype=torch.uint16), "at \\[\\]"),
        (torch.tensor([True]), torch.tensor([False]), "expected True, got False"),
        (0.1, 0.2, "expected 0.1, got 0.2"),
        (1, True, "is bool, int is expected"),
    ],
)
def test_how_a_difference_is_told(expected: Any, got: Any, message: str) -> None:
    found = difference(2, expected, got)
    assert found is not None
    assert re.search(message, str(found))
    assert str(found).startswith("output 2: ")
    assert found.to_dict()["output"] == 2


def test_what_is_equal() -> None:
    nan = float("nan")
    other = torch.tensor([0x7FC00001], dtype=torch.int32).view(torch.float32)
    assert difference(0, torch.tensor([nan]), other) is None
    assert difference(0, torch.zeros(0, 3), torch.zeros(0, 3)) is None
    assert difference(0, nan, nan) is None
    found = difference(0, nan, 1.0)
    assert found is not None
    assert found.to_dict()["expected"] == "nan"


def test_a_program_that_returns_no_tensor_has_no_expected_outputs() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside ExecuTorch and torch
        from executorch.exir import to_edge

        exported = torch.export.export(nets.Dense().eval(), (torch.randn(3, 4),))
        edge = to_edge({"forward": exported}, constant_methods={"scale": 0.5})
        data = bytes(edge.to_executorch().buffer)
    with pytest.raises(InputError, match=r"scale: case 0: output 0: the program returns 0.5"):
        bundle(data, [BundledCase("scale", (), (0.5,))])
    (result,) = read_bundle(bundle(data, [BundledCase("scale", ())])).check()
    assert result.outputs == (0.5,)
    recorded = qsim.executorch.record_case(Pte(data), method="scale")
    assert (recorded.method, recorded.expected) == ("scale", (0.5,))

"""Recorded cases: every call of a run, with what it read and what it made."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import qsim
from qsim import Target
from qsim.errors import FileFormatError, InputError, ModelError, UsageError
from qsim.golden import Case, cases, check, load, record
from qsim.golden.single import compute, program_of
from tests import fresh
from tests.qsim.golden.cases import clamp_case, document_of, rewrite, small_set
from tests.qsim.network import nets as net
from tests.qsim.program.reference import interpret
from tests.qsim.program.test_reference import network, small

TARGETS = ("tflite", "tflite-single", "onnxruntime", "pytorch", "q7", "narrow20")
RUNS = (
    *(("HostInTheMiddle", target) for target in TARGETS),
    *(("Residual", "tflite"), ("Residual", "onnxruntime"), ("Products", "q7")),
    *(("Sequence", "narrow20"), ("SpatialMean", "tflite-single")),
)


@pytest.mark.parametrize(("model", "target"), RUNS)
def test_every_call_of_a_run_is_a_case(
    model: str, target: str, tmp_path: Path, one_thread: None
) -> None:
    lowered = network(model, target)
    golden = record(lowered, small(model, 2), tmp_path / "set")
    calls = [call for program in lowered.programs_in_order() for call in program.calls]
    assert calls
    assert [case.primitive for case in golden.cases] == [call.primitive for call in calls]
    assert [case.layer for case in golden.cases] == [call.layer for call in calls]
    assert len(repr(golden)) < 300  # the manifest is long, and on disk
    for case in golden.cases:
        # An oracle of its own: every element from the definitions, in Python integers.
        program = program_of(case)
        tensors, _ = interpret(program, [case.operands[n.split("/")[1]] for n in program.inputs])
        assert np.array_equal(tensors[program.outputs[0]], case.expected)
        assert case.expected.size
    checked = check(golden)
    assert checked.ok
    assert checked.elements == sum(case.expected.size for case in golden.cases)


def test_operands_are_those_of_the_run(tmp_path: Path) -> None:
    lowered, x = net.lowered(), net.reals(3)
    trace = lowered.trace(x)
    found = {case.name: case for case in cases(lowered, x)}
    program = lowered.programs[0]
    for call in program.calls:
        case = found[call.name]
        assert np.array_equal(case.expected, trace.tensors[call.output])
        for name, array in zip(call.inputs, case.operands.values(), strict=True):
            held = program.constants.get(name)
            assert np.array_equal(array, trace.tensors[name] if held is None else held)
    assert found["conv.requantize"].constants.keys() == {"conv.multiplier"}
    assert found["conv.correlation"].formats["weight"] == lowered.target.weight.format
    assert found["conv.bias_add"].formats["bias"] == lowered.target.bias.format


def test_a_constant_that_does_not_fit_the_target_has_its_containers_format() -> None:
    constants = net.constants()
    constants["conv.weight"] = constants["conv.weight"].astype(np.int16) * 3
    lowered = net.lowered(programs=(net.program(constants=constants),))
    case = next(iter(cases(lowered, net.reals(1))))
    assert case.formats["weight"].bits == 16


def test_programs_that_share_names_give_cases_of_their_own() -> None:
    import qsim.network as nw

    second = dataclasses.replace(net.program(), name="program1")
    steps = (
        *net.steps()[:2],
        nw.Step("quantize", "q1", ("y",), ("y.codes",), net.boundary(0.02, 3)),
        nw.Step("program", "program1", ("y.codes",), ("second.codes",), {"program": 1}),
    )
    lowered = qsim.Lowered(
        Target.load("tflite"),
        (nw.ValueSpec("x", (-1, 2, 6, 6)), nw.ValueSpec("y", (-1, 2, 6, 6))),
        (nw.ValueSpec("fc.codes", (-1, 5), "int8"), nw.ValueSpec("second.codes", (-1, 5), "int8")),
        steps,
        (net.program(), second),
    )
    x, y = net.reals(1, seed=1), net.reals(1, seed=2)
    found = list(cases(lowered, (x, y)))
    assert len({case.name for case in found}) == len(found) == 18
    outputs = lowered(x, y)
    assert np.array_equal(found[8].expected, outputs[0])
    assert np.array_equal(found[17].expected, outputs[1])
    assert not np.array_equal(found[0].operands["x"], found[9].operands["x"])
    assert all(np.array_equal(compute(case), case.expected) for case in found)


def test_a_set_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = list(cases(net.lowered(), net.reals(2)))
    golden = small_set(tmp_path / "set", model="mine", seed=7)
    again = load(tmp_path / "set")
    assert again.manifest == golden.manifest
    assert (again.model, again.manifest["seed"]) == ("mine", 7)
    assert again.target == Target.load("tflite")
    assert len(again.cases) == len(written)
    for held, case in zip(again.cases, written, strict=True):
        same_case(held, case)
    same_case(again.case("fc.linear"), written[7])
    assert [case.name for case in again.cases[1:3]] == ["conv.bias_add", "conv.requantize"]
    assert again.cases[-1].name == written[-1].name


def same_case(left: Case, right: Case) -> None:
    for name in ("name", "layer", "primitive", "attributes", "formats", "classes"):
        assert getattr(left, name) == getattr(right, name)
    for name in ("operands", "constants"):
        mine, theirs = getattr(left, name), getattr(right, name)
        assert list(mine) == list(theirs)
        assert all(same(mine[key], theirs[key]) for key in mine)
    assert same(left.expected, right.expected)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and np.array_equal(a, b) and a.shape == b.shape


def test_no_such_case(tmp_path: Path) -> None:
    golden = small_set(tmp_path / "set")
    with pytest.raises(UsageError, match=r"no case is named 'conv.requantise'.*conv.requantize"):
        golden.case("conv.requantise")


def test_a_wrong_input_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="shape must be"):
        record(net.lowered(), net.reals(1)[:, :1], tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_check_shows_the_first_difference_of_each_case(tmp_path: Path) -> None:
    golden = small_set(tmp_path / "set")

    def spoil(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        arrays["output"][1, 2, 3, 4] ^= 1
        arrays["output"][1, 3, 5, 5] ^= 2
        return arrays

    rewrite(tmp_path / "set", 2, spoil)
    checked = check(tmp_path / "set")
    assert not checked.ok
    (only,) = checked.differing
    assert (only.name, only.layer, only.primitive) == ("conv.requantize", "conv", "requantize")
    mismatch = only.mismatch
    assert mismatch is not None
    right = golden_output(tmp_path)
    assert mismatch.index == (1, 2, 3, 4)
    assert mismatch.actual == right[1, 2, 3, 4]
    assert mismatch.expected == right[1, 2, 3, 4] ^ 1
    assert (mismatch.count, mismatch.total, mismatch.bits) == (2, 288, 8)
    assert len(checked.results) == len(golden.names)


def golden_output(tmp_path: Path) -> np.ndarray:
    return {case.name: case for case in cases(net.lowered(), net.reals(2))}[
        "conv.requantize"
    ].expected


def test_another_operand_is_noticed_by_what_it_makes(tmp_path: Path) -> None:
    small_set(tmp_path / "set")

    def shift(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        arrays["operand/acc"][0, 0, 0, 0] += 1 << 20
        return arrays

    rewrite(tmp_path / "set", 1, shift)
    (only,) = check(tmp_path / "set").differing
    assert only.name == "conv.bias_add"
    assert only.mismatch is not None
    assert only.mismatch.index == (0, 0, 0, 0)
    assert int(only.mismatch.actual) - only.mismatch.expected == 1 << 20


def test_another_target_is_refused(tmp_path: Path) -> None:
    small_set(tmp_path / "set")
    assert check(tmp_path / "set", target=Target.load("tflite")).ok
    with pytest.raises(UsageError, match=r"recorded for tflite sha256:.*, not for q7 sha256:"):
        check(tmp_path / "set", target=Target.load("q7"))
    with pytest.raises(UsageError, match="not for narrow20"):
        load(tmp_path / "set", target=Target.load("narrow20"))


def test_an_overflow_that_the_target_forbids_is_no_difference(tmp_path: Path) -> None:
    accumulator = {"bits": 8, "overflow": "error"}
    case = Case(
        name="sum",
        layer="",
        primitive="bias_add",
        attributes={"axis": 1, "accumulator": accumulator},
        operands={"acc": np.array([[100]], np.int8), "bias": np.array([100], np.int8)},
        constants={},
        formats=dict.fromkeys(("acc", "bias", "output"), net.INT8),
        expected=np.array([[0]], np.int8),
    )
    golden = qsim.golden.write([case], tmp_path / "set", Target.load("tflite"))
    with pytest.raises(FileFormatError, match=r"case 'sum'.*overflows"):
        check(golden)


def test_a_case_that_no_primitive_accepts_is_not_written(tmp_path: Path) -> None:
    for changes, rule in (
        ({"attributes": {"lo": 3, "hi": 2}}, "lo <= hi"),
        ({"attributes": {"lo": 3}}, "'hi' is missing"),
        ({"expected": np.zeros(4, np.int8)}, "shape"),
        ({"expected": np.zeros(3, np.int16)}, "dtype"),
        ({"operands": {"x": np.zeros(3, np.float32)}}, "integers"),
        ({"operands": {"x": np.array([200, 0, 0], np.int16)}}, "200 at index"),
    ):
        with pytest.raises(ModelError if rule != "200 at index" else InputError, match=rule):
            qsim.golden.write([clamp_case(**changes)], tmp_path / "set", Target.load("tflite"))
        assert list(tmp_path.iterdir()) == []


def test_classes_are_kept(tmp_path: Path) -> None:
    golden = qsim.golden.write([clamp_case()], tmp_path / "set", Target.load("q7"), seed=1)
    assert golden.case("clamp").classes == {"low": 1, "high": 1, "inside": 1}
    assert document_of(tmp_path / "set")["cases"][0]["classes"]["high"] == 1
    assert golden.model == ""


def test_qsim_golden_is_there_without_torch_or_numba() -> None:
    assert not fresh.loaded("import qsim; qsim.golden", "torch", "numba", "numpy")
    code = "import qsim; qsim.golden.load; qsim.golden.check; qsim.golden.record"
    assert not fresh.loaded(code, "torch", "numba")


def test_a_set_is_checked_without_torch(tmp_path: Path) -> None:
    small_set(tmp_path / "set")
    code = f"import qsim; assert qsim.golden.check({str(tmp_path / 'set')!r}).ok"
    assert fresh.loaded(code, "torch", "torchao", "hw_models") == ["hw_models"]

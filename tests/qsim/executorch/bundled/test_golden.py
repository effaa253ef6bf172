"""Golden sets into bundled programs and back."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hw_models import FixedFormat
from qsim import Lowered, Quantized, Target, golden
from qsim.cli import main
from qsim.errors import FileFormatError, ModelError, QsimError, UsageError
from qsim.executorch import BundledCase, bundle, bundle_golden, read_bundle, to_edge
from qsim.executorch.bundled import networks as bundled_networks
from qsim.executorch.bundled.calls import ABOUT, _constant, _program, read_about
from qsim.executorch.pte import flatbuffers, read_pte, schema_of
from qsim.golden import GoldenSet, directed
from tests.qsim.executorch.bundle_tools import dense
from tests.qsim.executorch.edges import batches, builtin, network
from tests.qsim.golden.cases import clamp_case

pytestmark = pytest.mark.usefixtures("one_thread")


@cache
def program(name: str, **options: Any) -> bytes:
    source, _ = network(name, "tflite")
    return to_edge(source, quantized_io=True, **options).to_pte()


def recorded(name: str, folder: Path, batch: int = 4) -> GoldenSet:
    source, lowered = network(name, "tflite")
    return golden.record(lowered, batches(source, batch), folder, model=name)


def directed_set(folder: Path, primitive: str = "requantize", target: str = "tflite") -> GoldenSet:
    contract = Target.load(target)
    vectors = directed.cases(primitive, contract, 3, 60)
    return golden.write(vectors, folder, contract, seed=3)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# -- a network's run -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "sizes"),
    [
        ("TwoInputs", {"max_batch": 3}, [3, 1]),
        pytest.param("ConvNet", {"batch": 2}, [2, 2], marks=pytest.mark.soak),
    ],
)
def test_a_run_becomes_cases_of_the_programs_batch(
    name: str, options: dict[str, int], sizes: list[int], tmp_path: Path
) -> None:
    source, lowered = network(name, "tflite")
    held = recorded(name, tmp_path / "set")
    bundled = read_bundle(bundle_golden(held, program(name, **options)))
    assert [len(case.inputs[0]) for case in bundled.cases] == sizes
    assert all(value.dtype == torch.int8 for case in bundled.cases for value in case.inputs)
    results = bundled.check()
    assert [(result.ok, result.compared) for result in results] == [(True, True)] * len(sizes)
    # What is expected is what the network makes of the batch that was recorded.
    codes = lowered.trace(*batches(source, 4))
    for at, spec in enumerate(lowered.quantized_io().outputs):
        made = np.concatenate([case.expected[at].numpy() for case in bundled.cases])  # type: ignore[index]
        np.testing.assert_array_equal(made, codes.tensors[spec.name])
    back = bundled.to_golden(tmp_path / "back")
    assert golden.check(back).ok
    assert len(back.names) == len(sizes) * len(held.names)
    assert back.names[0].startswith("forward.0.")


def compare_sets(held: GoldenSet, back: GoldenSet) -> None:
    assert len(held.names) == len(back.names)
    for first, second in zip(held.cases, back.cases, strict=True):
        assert (first.layer, first.primitive) == (second.layer, second.primitive)
        assert first.formats == second.formats
        arrays = {**first.operands, "output": first.expected}
        others = {**second.operands, "output": second.expected}
        assert arrays.keys() == others.keys()
        for slot, array in arrays.items():
            assert array.dtype == others[slot].dtype
            np.testing.assert_array_equal(array, others[slot])


def test_one_case_gives_the_calls_of_the_set_back(tmp_path: Path) -> None:
    held = recorded("TwoInputs", tmp_path / "set", batch=3)
    path = tmp_path / "net.bpte"
    path.write_bytes(bundle_golden(tmp_path / "set", program("TwoInputs", max_batch=3)))
    back = read_bundle(path).to_golden(tmp_path / "back")
    compare_sets(held, back)
    assert (back.model, back.target.hash) == ("net", held.target.hash)


def test_a_wrong_output_of_a_bundle_is_found_by_the_check_of_its_set(tmp_path: Path) -> None:
    held = recorded("TwoInputs", tmp_path / "set", batch=3)
    code = program("TwoInputs", max_batch=3)
    (case,) = read_bundle(bundle_golden(held, code)).cases
    wrong = [value.clone() for value in case.expected or ()]
    wrong[1][2, 5] ^= 1
    bundled = read_bundle(bundle(code, [dataclasses.replace(case, expected=tuple(wrong))]))
    checked = golden.check(bundled.to_golden(tmp_path / "back"))
    (found,) = checked.differing
    assert found.name == checked.golden.names[-1]
    assert found.mismatch is not None
    assert found.mismatch.index == (2, 5)
    (result,) = bundled.check()
    assert [(item.output, item.index) for item in result.differences] == [(1, (2, 5))]


def changed_set(held: GoldenSet, folder: Path, at: int, **changes: Any) -> GoldenSet:
    cases = list(held.cases)
    cases[at] = dataclasses.replace(cases[at], **changes)
    return golden.write(cases, folder, held.target)


def test_a_set_of_something_else_is_refused(tmp_path: Path) -> None:
    held, code = recorded("TwoInputs", tmp_path / "set"), program("TwoInputs", max_batch=3)
    linear = held.cases[0]
    other = changed_set(
        held, tmp_path / "w", 0, operands={**linear.operands, "weight": -linear.operands["weight"]}
    )
    with pytest.raises(UsageError, match=r"is not of this program: its weight is of another net"):
        bundle_golden(other, code)
    biased = held.cases[1]
    slot, accumulators = next(iter(biased.operands.items()))
    mixed = changed_set(
        held, tmp_path / "x", 1, operands={**biased.operands, slot: accumulators + 1}
    )
    with pytest.raises(UsageError, match=rf"its {slot} is of another run than what was before it"):
        bundle_golden(mixed, code)
    layer = changed_set(held, tmp_path / "l", 2, layer="elsewhere")
    with pytest.raises(UsageError, match=r"is not of this program: the program has requantize of"):
        bundle_golden(layer, code)
    attributes = dict(held.cases[2].attributes)
    attributes["zero_point"] = 4
    with pytest.raises(UsageError, match=r"its attributes differ \(zero_point\)"):
        bundle_golden(changed_set(held, tmp_path / "a", 2, attributes=attributes), code)
    short = golden.write(list(held.cases)[:-1], tmp_path / "short", held.target)
    with pytest.raises(UsageError, match=r"short: the set has 10 calls, the program has 11"):
        bundle_golden(short, code)
    with pytest.raises(UsageError, match=r"it was recorded for q7 .*, not for tflite"):
        bundle_golden(directed_set(tmp_path / "q7", target="q7"), code)
    with pytest.raises(UsageError, match=r"a network's run is bundled whole"):
        bundle_golden(held, code, names=held.names[:1])


@pytest.mark.soak
def test_a_batch_that_does_not_go_into_the_programs_is_refused(tmp_path: Path) -> None:
    held = recorded("ConvNet", tmp_path / "set", batch=3)
    with pytest.raises(UsageError, match=r"set: the set is of a batch of 3, the program of 2 \("):
        bundle_golden(held, program("ConvNet", batch=2))


def test_programs_that_are_no_delegate_of_integers_are_refused(tmp_path: Path) -> None:
    held = recorded("TwoInputs", tmp_path / "set")
    with pytest.raises(ModelError, match=r"method forward calls aten::addmm.out, .*accepted: a me"):
        bundle_golden(held, dense())
    path = tmp_path / "net.bpte"
    path.write_bytes(bundle(dense(), [BundledCase("forward", (torch.zeros(3, 4),))]))
    bundled = read_bundle(path)
    with pytest.raises(ModelError, match=r"net.bpte: method forward calls aten::addmm.out"):
        bundled.to_golden(tmp_path / "back")


@pytest.mark.soak
def test_a_program_that_takes_floats_is_refused(tmp_path: Path) -> None:
    held = recorded("TwoInputs", tmp_path / "set", batch=2)
    source, _ = network("TwoInputs", "tflite")
    with pytest.raises(ModelError, match=r"method forward has a float 'x'"):
        bundle_golden(held, to_edge(source, batch=2).to_pte())


def test_cases_that_make_no_set_are_refused(tmp_path: Path) -> None:
    code = program("TwoInputs", max_batch=3)
    inputs = (torch.zeros(2, 8, dtype=torch.int8),) * 2
    only_run = read_bundle(bundle(code, [BundledCase("forward", inputs)]))
    with pytest.raises(UsageError, match="forward: case 0: it expects nothing"):
        only_run.to_golden(tmp_path / "back")
    with pytest.raises(UsageError, match="the bundle has 0 cases, for 1 targets"):
        read_bundle(bundle(code, [])).to_golden(tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.soak
@pytest.mark.parametrize("name", ["digits", "resnet8", "autoencoder"])
def test_built_in_models(name: str, tmp_path: Path) -> None:
    source: Quantized
    lowered: Lowered
    source, lowered = builtin(name, "tflite")
    held = golden.record(lowered, batches(source, 4), tmp_path / "set", model=name)
    code = to_edge(source, quantized_io=True, max_batch=4).to_pte()
    bundled = read_bundle(bundle_golden(held, code))
    assert [result.ok for result in bundled.check()] == [True]
    back = bundled.to_golden(tmp_path / "back")
    compare_sets(held, back)
    assert golden.check(back).ok


# -- a program of one method per case ------------------------------------------------------------


@pytest.mark.parametrize(("primitive", "target"), [("requantize", "narrow20"), ("lookup", "q15")])
def test_directed_vectors_come_back_to_the_byte(
    primitive: str, target: str, tmp_path: Path
) -> None:
    held = directed_set(tmp_path / "set", primitive, target)
    bundled = read_bundle(bundle_golden(held))
    assert sorted(case.method for case in bundled.cases) == sorted(held.names)
    assert all(result.ok and result.compared for result in bundled.check())
    back = bundled.to_golden(tmp_path / "back")
    assert files(tmp_path / "set") == files(tmp_path / "back")
    assert sum(sum(entry.classes.values()) for entry in back.entries) > 0


@pytest.mark.soak
@pytest.mark.parametrize(
    "target", ["tflite", "q7", "onnxruntime", "litert-reference", "nvdla-like", "int4"]
)
def test_directed_vectors_of_every_primitive(target: str, tmp_path: Path) -> None:
    for primitive in directed.PRIMITIVES:
        directed_set(tmp_path / primitive, primitive, target)
        bundled = read_bundle(bundle_golden(tmp_path / primitive))
        assert all(result.ok for result in bundled.check())
        bundled.to_golden(tmp_path / f"{primitive}_back")
        assert files(tmp_path / primitive) == files(tmp_path / f"{primitive}_back")


def unsigned_case(bits: int) -> golden.Case:
    form = FixedFormat(bits, signed=False)
    x = np.array([0, 1, 3, form.max], form.dtype)
    return clamp_case(
        "unsigned",
        attributes={"lo": 0, "hi": form.max},
        operands={"x": x},
        formats={"x": form, "output": form},
        expected=x,
    )


def test_unsigned_codes_live_in_int32(tmp_path: Path) -> None:
    target = Target.load("tflite")
    held = golden.write([unsigned_case(12)], tmp_path / "set", target)
    bundled = read_bundle(bundle_golden(held))
    assert bundled.cases[0].inputs[0].dtype == torch.int32
    assert bundled.check()[0].ok
    bundled.to_golden(tmp_path / "back")
    assert files(tmp_path / "set") == files(tmp_path / "back")
    (case,) = bundled.cases
    high = dataclasses.replace(case, expected=(torch.full((4,), 5000, dtype=torch.int32),))
    over = read_bundle(bundle(bundled.program, [high]))
    with pytest.raises(UsageError, match=r"code outside of its format \(accepted: 0..4095\)"):
        over.to_golden(tmp_path / "over")
    wide = golden.write([unsigned_case(32)], tmp_path / "wide", target)
    with pytest.raises(UsageError, match="has unsigned codes of 32 bits"):
        bundle_golden(wide)


def test_what_cannot_become_methods(tmp_path: Path) -> None:
    target = Target.load("tflite")
    named = golden.write([clamp_case(ABOUT)], tmp_path / "named", target)
    with pytest.raises(UsageError, match=r"a case is named 'qsim.golden'"):
        bundle_golden(named)
    empty = golden.write([], tmp_path / "empty", target)
    with pytest.raises(UsageError, match=r"empty: it has no cases"):
        bundle_golden(empty)


def call_of(plan: Any) -> Any:
    return plan["chains"][0]["instructions"][0]["instr_args"][1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda plan: plan.update(inputs=(0, 0)), "has other inputs or outputs than its delegate"),
        (lambda plan: plan.update(inputs=(0,)), "has other inputs or outputs than its delegate"),
        (lambda plan: call_of(plan).update(args=(0, 1)), "calls a delegate of 3 values with 2"),
        (lambda plan: plan["delegates"][0].update(id="Other"), "is for Other"),
        (lambda plan: plan["chains"][0].update(instructions=()), "has 0 instructions"),
    ],
)
def test_methods_that_are_not_one_delegate(change: Any, message: str, tmp_path: Path) -> None:
    contract = Target.load("tflite")
    held = golden.write(directed.cases("matmul", contract, 0, 20)[:1], tmp_path / "set", contract)
    program = read_bundle(bundle_golden(held)).program
    root = read_pte(program).root
    change(root["execution_plan"][0])
    schema = schema_of("program")
    with pytest.raises(ModelError, match=message):
        bundled_networks.read(flatbuffers.write(root, schema, {}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        '{"model": "", "seed": 0}',
        '{"model": "", "seed": "0", "classes": {}}',
        '{"model": 1, "seed": 0, "classes": {}}',
        '{"model": "", "seed": 0, "classes": {"a": 3}}',
        '{"model": "", "seed": 0, "classes": {"a": {"b": "c"}}}',
    ],
)
def test_labels_are_checked(text: str) -> None:
    with pytest.raises(FileFormatError, match=r"method qsim.golden does not"):
        read_about(_program([_constant(ABOUT, text)], []))


def test_labels_that_no_set_may_have_leave_nothing(tmp_path: Path) -> None:
    held = golden.write([clamp_case()], tmp_path / "set", Target.load("tflite"))
    data = bundle_golden(held)
    for old, new in ((b'"low": 1', b'"low":-1'), (b'"seed": null', b'"seed": 1e99')):
        assert old in data
        with pytest.raises(QsimError):
            read_bundle(data.replace(old, new)).to_golden(tmp_path / "back")
        assert not (tmp_path / "back").exists()


# -- the command line ----------------------------------------------------------------------------


def run(*arguments: object) -> int:
    return main(["golden", *map(str, arguments)])


def test_export_and_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directed_set(tmp_path / "set")
    path = tmp_path / "set.bpte"
    assert run("export", tmp_path / "set", "-o", path) == 0
    assert f"{path}: 11 cases of 11 methods" in capsys.readouterr().out.replace("\n", "")
    assert run("import", path, "-o", tmp_path / "back") == 0
    assert files(tmp_path / "set") == files(tmp_path / "back")
    assert run("import", path, "-o", tmp_path / "back") == 2
    assert "a golden set is there already" in capsys.readouterr().err
    one = tmp_path / "one.bpte"
    assert run("export", tmp_path / "set", "-o", one, "--case", "requantize.plain", "--json") == 0
    assert [case.method for case in read_bundle(one).cases] == ["requantize.plain"]
    assert run("import", path, "-o", tmp_path / "back", "--force", "--json") == 0
    assert run("check", tmp_path / "back") == 0


def test_export_with_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded("TwoInputs", tmp_path / "set", batch=3)
    code, path = tmp_path / "net.pte", tmp_path / "net.bpte"
    code.write_bytes(program("TwoInputs", max_batch=3))
    assert run("export", tmp_path / "set", "--program", code, "-o", path) == 0
    assert all(result.ok for result in read_bundle(path).check())
    assert run("export", tmp_path / "set", "--program", code, "-o", tmp_path / "hex") == 2
    assert "--program is for bundled programs" in capsys.readouterr().err
    code.write_bytes(dense())
    assert run("export", tmp_path / "set", "--program", code, "-o", path) == 2
    assert "net.pte: method forward calls aten::addmm.out" in capsys.readouterr().err

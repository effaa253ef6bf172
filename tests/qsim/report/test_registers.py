"""Every register of every primitive is in the report: the same as in the ledger, and as by hand.

Who adds a primitive, a scheme or a rule adds its call to ``calls.py``, and its registers to
``tests/hw_models/registers.py``: until then a test here fails.
"""

from __future__ import annotations

import functools
import io
import json
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import hw_models as hw
from hw_models.formats import ATS, OVERFLOWS
from qsim.errors import ModelError
from qsim.program.primitives import PRIMITIVES
from qsim.program.schemes import encode_scheme, kinds
from qsim.registry import REGISTERED
from qsim.report.details import register_rows
from qsim.report.evaluate import Batch, Evaluator
from qsim.report.html import render_html
from qsim.report.result import Evaluation, Layer
from qsim.report.table import run_report
from qsim.target import Target
from tests.qsim.program.reference import interpret
from tests.qsim.report.calls import FUNCTIONS, SAMPLES, Case, adders, cases, requantizers

CASES = cases()
FLOATS = [case for case in CASES if case.program.tensors["y"].format == hw.FLOAT32]
OVERFLOWING = [case for case in CASES if case.overflows]
IDS = [f"{i}-{case.primitive}-{case.variant}".replace(" ", "_") for i, case in enumerate(CASES)]


def told(case: Case, size: int = SAMPLES) -> tuple[Layer, list[hw.Ledger]]:
    """Run a call in batches of ``size``; return what is reported of it, and its ledgers."""
    lowered, ledgers = case.lowered(), []
    evaluator = Evaluator(lowered)
    for start in range(0, SAMPLES, size):
        trace = lowered.trace(*(array[start : start + size] for array in case.arrays))
        evaluator.count(trace, size)
        ledgers += [entry.ledger for entry in trace.ledger]
    (layer,) = evaluator.layers
    return layer, ledgers


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_report_has_every_register_of_the_ledger_and_of_the_definition(case: Case) -> None:
    layer, (ledger,) = told(case)
    _, books = interpret(case.program, case.arrays)
    (_, book), *_ = books.values()

    # The ledger's are the definition's: width, rule, extremes, counts and the first index.
    assert ledger.registers == book.registers
    assert ledger.overflows == sum(register.overflows for register in book.registers)
    assert bool(ledger.overflows) == case.overflows
    firsts = [register.first for register in book.registers if register.first is not None]
    assert ledger.first == min([*firsts, *filter(None, [ledger.first_clamped])], default=None)

    # The report's are the ledger's.
    shown = {use.register: use for use in layer.accumulators}
    assert sorted(shown) == sorted(register.name for register in ledger.registers)
    for register in ledger.registers:
        use = shown[register.name]
        assert (use.bits, use.overflow) == (register.bits, register.overflow)
        assert (use.bits_used, use.overflows) == (register.bits_used, register.overflows)
        assert use.first == register.first
        assert use.watched
    assert layer.overflows == ledger.overflows
    written = json.loads(json.dumps(layer.to_dict()))["accumulators"]
    assert {item["register"]: item["overflows"] for item in written} == {
        register.name: register.overflows for register in ledger.registers
    }


@pytest.mark.parametrize("case", OVERFLOWING, ids=lambda case: case.primitive)
def test_batches_count_on(case: Case) -> None:
    """Three batches of one sample tell what one batch of three does."""
    whole, parts = told(case)[0], told(case, 1)[0]
    assert whole.accumulators == parts.accumulators


def evaluation(layers: list[Layer]) -> Evaluation:
    nothing: dict[str, float | None] = {"float": None, "qdq": None, "hardware": None}
    target = {"name": "t", "hash": "h"}
    return Evaluation("m", target, SAMPLES, nothing, nothing, [], "00", 0.0, 0.0, layers)


def test_the_page_has_them_all() -> None:
    layers = [told(case)[0] for case in OVERFLOWING]
    rows = register_rows(layers)
    page = render_html(evaluation(layers), Target.load("tflite"), "3 samples")
    for row in rows:
        cells = "".join(f">{cell}</td>" for cell in row.cells[3:5])
        assert row.alarm == (row.cells[5] != "0")
        assert all(f">{cell}</td>" in page for cell in row.cells), cells
    assert page.count('<tr class="alarm">') == len(layers) + sum(row.alarm for row in rows)


def test_floats_have_a_report_without_registers() -> None:
    """What results in float32: its values, then its layer in JSON, table and page."""
    made = {"min_max", "choose_scale", "dequantize", "dequantize_sums", "linear_groups"}
    made |= {"float_add", "float_mul", "float_function", "float_softmax", "float_layer_norm"}
    made |= {"float_matmul"}
    assert {case.primitive for case in FLOATS} == made
    for case in FLOATS:
        arrays = tuple(case.arrays)
        (found,) = case.program.run(*arrays)
        wanted = interpret(case.program, arrays)[0]["y"]
        assert np.array_equal(found.view(np.int32), wanted.view(np.int32))

        lowered = case.lowered()
        evaluator = Evaluator(lowered)
        evaluator.add(Batch(arrays, arrays))
        result = evaluator.result()
        (layer,) = result.layers
        assert layer.real
        assert (layer.accumulators, layer.overflows, layer.clamped) == ([], 0, 0)
        assert layer.elements == found.size
        written = json.loads(json.dumps(result.to_dict(), allow_nan=False))
        assert written["layers"][0]["accumulators"] == []
        console = Console(file=io.StringIO(), width=200, record=True)
        console.print(*run_report(result, source="3 samples", columns=200, verbose=True), sep="\n")
        for text in (console.export_text(), render_html(result, lowered.target, "3 samples")):
            assert case.primitive in text
        assert register_rows([layer]) == []


def test_every_primitive_is_tried() -> None:
    assert {case.primitive for case in CASES} == set(PRIMITIVES) - set(REGISTERED)


def schemes() -> dict[str, Any]:
    """A scheme of every kind that files know."""
    some = [*requantizers(20), *adders()]
    more = [hw.Division(), *(
        make.from_scale(0.1)
        for make in (hw.FixedSoftmax, hw.TableSoftmax, hw.IbertSoftmax, hw.Exponential)
    ), hw.FloatSoftmax(0.1), *FUNCTIONS, hw.IntegerNorm(hw.PowerOfTwo(0))]  # fmt: skip
    held = {type(scheme): scheme for scheme in [*(scheme for scheme, _ in some), *more]}
    assert {*held, hw.Accumulator} == set(kinds().values()), "give one of each kind"
    return {kind: held[cls] for kind, cls in kinds().items() if cls in held}


@functools.cache
def tried(primitive: str) -> list[dict[str, Any]]:
    return [dict(case.program.calls[0].attributes) for case in CASES if case.primitive == primitive]


def accepts(check: Any, value: Any) -> bool:
    try:
        check(value, {})
    except ModelError:
        return False
    return True


@pytest.mark.parametrize("primitive", sorted(set(PRIMITIVES) - set(REGISTERED)))
def test_every_scheme_and_rule_that_a_primitive_takes_is_tried(primitive: str) -> None:
    attributes = PRIMITIVES[primitive].attributes
    for name, check in attributes.items():
        for rule in OVERFLOWS:
            if accepts(check, {"bits": 20, "overflow": rule}):
                rules = [call[name]["overflow"] for call in tried(primitive)]
                assert rules.count(rule) == len(ATS), f"{primitive}: {name} of rule {rule}"
        for kind, scheme in schemes().items():
            document = encode_scheme(scheme, "s", {})
            for one in (document, [document]):
                if accepts(check, one):
                    used = [call[name] for call in tried(primitive)]
                    found = {part["kind"] for v in used for part in _list(v) if part}
                    assert kind in found, f"{primitive}: {name} of kind {kind}"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_every_declared_accumulator_is_recorded(case: Case) -> None:
    """What a call's attributes describe, at whatever depth, and no ledger has is a finding."""
    (layer,) = Evaluator(case.lowered()).layers
    declared = [(use.bits, use.overflow) for use in layer.accumulators]
    assert not any(use.watched for use in layer.accumulators)
    kept = [(use.bits, use.overflow) for use in told(case)[0].accumulators]
    assert kept[: len(declared)] == declared
    assert all(use.watched for use in told(case)[0].accumulators)


def test_first_is_of_the_whole_run() -> None:
    """[sample, *index]: samples over all batches, the rest in C order of the call's output."""
    case = next(c for c in CASES if c.primitive == "add" and c.overflows)
    quiet = [np.zeros_like(array) for array in case.arrays]
    for array, silent in zip(case.arrays, quiet, strict=True):
        silent[2] = array[2]
    later = Case(case.primitive, case.variant, quiet, case.attributes, overflows=True)
    whole, _ = told(later)
    assert whole.first_overflow is not None
    assert whole.first_overflow[0] == 2
    assert told(later, 1)[0].first_overflow == whole.first_overflow

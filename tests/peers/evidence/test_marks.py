"""A ``peer`` mark that is not true fails; what a test calls is seen, and nobody else's calls."""

from __future__ import annotations

import numpy as np
import pytest

import hw_models as hw
from qsim.target import Target
from tests.peers.evidence import marks
from tests.peers.evidence.contracts import IN_PROGRAMS, TARGETS, of_target
from tests.peers.evidence.observed import Seen, watching
from tests.peers.litert import formulas
from tools.evidence.claims import claims

ACC = np.array([[1000, -1000]], np.int32)


def seen_by_rescale(kernels: str = "reference") -> Seen:
    with watching() as seen:
        formulas.rescale(ACC, "CONV_2D", kernels, 0.1, 0.1, 0.2, 0, "int8")
    return seen


@pytest.mark.parametrize(
    ("primitive", "targets", "why"),
    [
        ("requantize", ("tflite", "litert-reference"), ""),
        ("requantize", (), ""),
        ("add", (), "add was not called"),
        ("requantize", ("tflite", "litert-optimized"), "litert-optimized has requantize under"),
        ("requantize", ("tflite-int16x8",), "tflite-int16x8 has requantize under"),
        ("requantize", ("pytorch",), "pytorch has requantize under"),
    ],
)
def test_what_a_test_does_not_call_is_not_compared(
    primitive: str, targets: tuple[str, ...], why: str
) -> None:
    found = seen_by_rescale().why_not(primitive, targets)
    assert found.startswith(why)
    assert bool(found) == bool(why)


def test_other_kernels_are_another_contract() -> None:
    assert not seen_by_rescale("optimized").why_not("requantize", ("litert-optimized",))
    assert seen_by_rescale("xnnpack").why_not("requantize", ("litert-optimized",))


def test_nothing_is_left_behind() -> None:
    before = formulas.requantize
    seen_by_rescale()
    assert formulas.requantize is before is hw.requantize


@pytest.mark.parametrize(("kernels", "holds"), [("reference", True), ("xnnpack", False)])
def test_a_mark_speaks_of_its_parameters(
    kernels: str, holds: bool, request: pytest.FixtureRequest
) -> None:
    item = request.node
    item.add_marker(pytest.mark.peer("LiteRT", ["requantize"], ["q7"], kernels="reference"))
    assert marks.holds_for(item, item.get_closest_marker("peer")) == holds
    if holds:
        with pytest.raises(AssertionError, match="the mark 'LiteRT' is not true: q7 has"):
            marks.check(item, seen_by_rescale())
    else:
        marks.check(item, seen_by_rescale())
    item.own_markers.clear()


def test_every_claim_has_a_contract() -> None:
    for claim in claims():
        for name in claim.targets:
            for primitive in {*claim.primitives} - {*IN_PROGRAMS}:
                assert of_target(Target.load(name), primitive)
    assert set(TARGETS) >= {"requantize", "requantize_linear", "add"}


def test_a_mark_of_no_test_is_told(request: pytest.FixtureRequest) -> None:
    item = request.node
    for engine in ("fbgemm", "none of this name"):  # the second one torch lacks
        item.add_marker(pytest.mark.peer("PyTorch", ["add"], engine=engine))
    item.add_marker(pytest.mark.peer("PyTorch", ["sub"], nothing=1))
    told = list(marks.idle([item]))
    item.own_markers.clear()
    assert [text for text in told if "nothing" in text]
    assert not [text for text in told if "none of this name" in text]

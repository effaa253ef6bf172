"""A graph that was quantized for another target: every part of its scheme is compared."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import qsim
from qsim import ModelError, Target
from qsim.quantizer import Quantized


@cache
def quantized(target: str, *changes: tuple[str, str, Any]) -> Quantized:
    return qsim.quantize(network(), (torch.ones(2, 3, 6, 6),), changed(target, *changes), [batch()])


@cache
def changed(target: str, *changes: tuple[str, str, Any]) -> Target:
    document = Target.load(target).to_dict()
    for section, field, value in changes:
        document[section][field] = value
    return Target.from_dict(document)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)).eval()


def batch() -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(8, 3, 6, 6)


def both(field: str, value: Any) -> tuple[tuple[str, str, Any], ...]:
    return ("input", field, value), ("output", field, value)


# The source and the target, as changes of tflite, and what is said.
OTHERS: dict[str, tuple[tuple[Any, ...], tuple[Any, ...], str]] = {
    "zero points": (
        (),
        both("scheme", "symmetric"),
        (
            r"^0: tensor \w+ has zero point -?\d+, as it was quantized for another target "
            r"\(accepted: the target's \[input\] is symmetric: zero point 0\)$"
        ),
    ),
    "a result's zero point": (
        (),
        (("output", "scheme", "symmetric"),),
        r"^0: tensor \w+ has zero point .*\[output\] is symmetric: zero point 0\)$",
    ),
    "scales of activations": (
        both("scheme", "symmetric"),
        both("scheme", "power_of_two"),
        r"^0: tensor \w+ has scale 0\.\d+.*\[input\] is power_of_two: scales 2\*\*n\)$",
    ),
    "scales of weights": (
        (),
        (("weight", "scheme", "power_of_two"),),
        r"^0: its weight has scale 0\.\d+.*\[weight\] is power_of_two: scales 2\*\*n\)$",
    ),
    "scales per channel": (
        (),
        (("weight", "per_channel", False),),
        r"^0: its weight has 4 scales, one per channel.*\[weight\] has one scale for the tensor",
    ),
    "zero points of weights": (
        (("weight", "scheme", "asymmetric"),),
        (),
        r"^0: its weight has zero point -?\d+.*\[weight\] is symmetric: zero point 0\)$",
    ),
    "narrow weights": (
        (("weight", "narrow", False),),
        (),
        r"^0: its weight has codes -128\.\.127.*\[weight\] holds -127\.\.127\)$",
    ),
    "the width of weights": (
        (),
        (("weight", "bits", 4),),
        r"^0: its weight has codes -127\.\.127.*\[weight\] holds -7\.\.7\)$",
    ),
    "narrow activations": (
        (),
        both("narrow", True),
        r"^0: tensor \w+ has codes -128\.\.127.*\[input\] holds -127\.\.127\)$",
    ),
    "the sign": (
        both("signed", False),
        (),
        r"^0: tensor \w+ has codes 0\.\.255.*\[input\] holds -128\.\.127\)$",
    ),
    "the width": (
        (*both("bits", 16), ("add", "left_shift", 10)),
        (),
        r"^0: tensor \w+ has codes -32768\.\.32767.*\[input\] holds -128\.\.127\)$",
    ),
    "a bias": (
        (),
        (("bias", "bits", 4),),
        r"^0: its bias has codes -?\d+\.\.\d+.*\[bias\] holds -8\.\.7\)$",
    ),
}


@pytest.mark.parametrize("case", OTHERS)
def test_what_a_target_has_not_is_refused_with_layer_and_scheme(case: str) -> None:
    source, wanted, message = OTHERS[case]
    with pytest.raises(ModelError, match=message):
        qsim.lower(quantized("tflite", *source), changed("tflite", *wanted))


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        (both("scheme", "symmetric"), ()),
        ((("weight", "per_channel", False),), ()),
        ((("weight", "bits", 4),), ()),
        ((), (("weight", "narrow", False),)),
        ((), (("bias", "bits", 40),)),
        ((), (("requantize", "rounding", "single"),)),
    ],
)
def test_what_a_target_can_do_besides_is_lowered(source: Any, wanted: Any) -> None:
    lowered = qsim.lower(quantized("tflite", *source), changed("tflite", *wanted))
    assert lowered.host_operators == ()
    assert np.isfinite(lowered(batch()).numpy()).all()


@pytest.mark.parametrize(("field", "value"), [("scheme", "symmetric"), ("narrow", True)])
def test_results_of_a_target_with_stricter_outputs_are_lowered(field: str, value: Any) -> None:
    lowered = qsim.lower(quantized("tflite", ("output", field, value)))
    assert lowered.host_operators == ()
    (program,) = lowered.programs
    results = [program.tensors[c.output] for c in program.calls if c.primitive == "requantize"]
    assert all(spec.zero_point == 0 or field == "narrow" for spec in results)
    assert all(spec.format.narrow or field == "scheme" for spec in results)


def test_a_bias_in_float_must_fit_too() -> None:
    """A bias of more than 32 bits stays in float in the graph, and becomes codes here."""

    def wide(bits: int) -> Target:
        changes = [("bias", "bits", bits), ("sum", "bits", 62), ("correlation", "bits", 62)]
        return changed("tflite", *changes, ("requantize", "rounding", "single"))

    net = nn.Linear(4, 2).eval()
    with torch.no_grad():
        net.bias.copy_(torch.tensor([1e9, -3.0]))
    found = qsim.quantize(net, (torch.ones(1, 4),), wide(56), [torch.ones(1, 4)])
    assert qsim.lower(found, wide(56)).programs
    with pytest.raises(
        ModelError, match=r"has codes -\d+\.\.\d{11,}, .*holds -8589934592\.\.8589934591"
    ):
        qsim.lower(found, wide(34))


def test_equal_scales_per_channel_are_one_scale() -> None:
    module = network()
    with torch.no_grad():
        for layer in (module[0], module[2]):
            layer.weight.sign_()
    graph = qsim.quantize(module, (batch(),), changed("tflite"))
    assert qsim.lower(graph, changed("tflite", ("weight", "per_channel", False))).programs


def test_every_shipped_pair_of_targets_is_lowered_whole_or_refused() -> None:
    """No pair leaves a quantized network in float without an error."""
    refused = []
    for one in ("pytorch", "q15"):
        for other in Target.names():
            try:
                lowered = qsim.lower(quantized(one), Target.load(other))
            except ModelError as error:
                refused.append(str(error))
                continue
            assert lowered.host_operators == (), (one, other)
    assert len(refused) > 15
    assert all("quantized for another target" in message for message in refused)

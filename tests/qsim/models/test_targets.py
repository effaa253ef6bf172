"""Built-in models of images and sound on every shipped target: each call's codes by its definition.

digits, which has every primitive of the others, on all targets; the other small models on every
fourth target in turn, each of the two large ones on one. ``pytest -m soak`` has all pairs.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import hw_models as hw
import qsim
from hw_models.dequantize import reference as dequantize_one
from hw_models.quantize import reference as quantize_one
from qsim import models
from qsim.errors import ModelError
from qsim.network.lowered import Lowered
from qsim.network.steps import Step
from qsim.network.trace import Trace
from tests import networks
from tests.qsim.memory.lifetimes import check_steps
from tests.qsim.program.reading import host_value
from tests.qsim.program.reference import DEFINITIONS
from tests.qsim.program.sampled_reference import CUTS, calls_of, check_call

pytestmark = pytest.mark.usefixtures("one_thread")
PRODUCTS = {"correlation", "bias_add", "requantize"}
NEEDS = {  # the primitives that a target needs to compute the whole network
    "digits": {*PRODUCTS, "add", "max_pool", "avg_pool", "reshape"},
    "resnet8": {*PRODUCTS, "add", "avg_pool", "reshape"},
    "mobilenet_v1": {*PRODUCTS, "avg_pool", "reshape"},
    "ds_cnn": {*PRODUCTS, "avg_pool", "reshape"},
    "autoencoder": PRODUCTS,
    "resnet18": {*PRODUCTS, "add", "max_pool", "avg_pool", "reshape"},
    "mobilenet_v2": {*PRODUCTS, "add", "avg_pool", "reshape"},
}
# Where the tensors of a sample are too large for a target's memory: the layer and what is missing.
TOO_LARGE = {
    ("resnet18", "asic-example"): ("maxpool", "872,448"),
    ("resnet18", "deeploy-like"): ("maxpool", "937,984"),
    ("resnet18", "narrow20"): ("maxpool", "937,984"),
    ("resnet18", "nvdla-like"): ("maxpool", "872,448"),
    ("mobilenet_v2", "asic-example"): ("features.2.conv.1.0", "1,374,208"),
    ("mobilenet_v2", "deeploy-like"): ("features.2.conv.1.0", "1,439,744"),
    ("mobilenet_v2", "narrow20"): ("features.2.conv.1.0", "1,439,744"),
    ("mobilenet_v2", "nvdla-like"): ("features.2.conv.1.0", "1,374,208"),
}
ELEMENTS = 3  # of every call, beside its first, last, smallest and largest
# The large models' targets in every run: the second has too little memory for it.
LARGE = {"resnet18": "xnnpack", "mobilenet_v2": "narrow20"}
TARGETS = networks.STATIC
NAMES = [known.name for known in networks.IMAGES]


def early(name: str, target: str) -> bool:
    """Whether every run has this pair."""
    if name in LARGE:
        return LARGE[name] == target
    return name == "digits" or (TARGETS.index(target) - NAMES.index(name)) % 4 == 0


PAIRS = [
    pytest.param(name, target, marks=[] if early(name, target) else [pytest.mark.soak])
    for name in NAMES
    for target in TARGETS
]


def inputs_of(model: models.Model) -> torch.Tensor:
    """Two samples; the second is stretched, so that it leaves the calibrated range."""
    assert model.samples
    samples = model.samples[0]
    assert isinstance(samples, torch.Tensor)
    return torch.stack([samples[0], 1.5 * samples[1] - 0.25])


def quantized_for(name: str, target: qsim.Target) -> qsim.Quantized:
    model = networks.model(name)
    assert model.calibration
    few = [(model.calibration[0][0][:2],)]
    return qsim.quantize(networks.captured(name), model.example_inputs, target, calibration=few)


def lowered_for(name: str, target: qsim.Target) -> Lowered:
    """The network; what the memory does not hold is refused, and lowered without its limit."""
    quantized = quantized_for(name, target)
    if (name, target.name) in TOO_LARGE:
        refused(quantized, *TOO_LARGE[name, target.name])
        target = replace(target, memory=replace(target.memory, bytes=0))
    return qsim.lower(quantized, target)


def refused(quantized: qsim.Quantized, layer: str, missing: str) -> None:
    where, more = re.escape(layer), re.escape(missing)
    with pytest.raises(ModelError, match=f"layer '{where}': .* at once, {more} more than the"):
        qsim.lower(quantized)


@pytest.mark.soak  # the pairs of every run ask it too
@pytest.mark.parametrize(("name", "target_name"), TOO_LARGE)
def test_what_the_memory_does_not_hold_is_refused(name: str, target_name: str) -> None:
    quantized = quantized_for(name, qsim.Target.load(target_name))
    refused(quantized, *TOO_LARGE[name, target_name])


@pytest.mark.parametrize(("name", "target_name"), PAIRS)
def test_every_call_equals_its_definition(name: str, target_name: str) -> None:
    target = qsim.Target.load(target_name)
    lowered = lowered_for(name, target)
    x = inputs_of(networks.model(name))
    trace = lowered.trace(x)
    rng = np.random.default_rng(len(name))
    used = set()
    for program, call, entry in calls_of(lowered, trace):
        used.add("correlation" if call.primitive == "linear" else call.primitive)
        assert check_call(program, call, entry, trace, rng, ELEMENTS) > 0
    for step in lowered.steps:
        check_boundary(step, trace, rng)
    check_host(lowered, used, NEEDS[name], target)
    check_memory(lowered)
    check_alone(lowered, x, trace)


def check_boundary(step: Step, trace: Trace, rng: np.random.Generator) -> None:
    """Compare chosen values of a quantize or dequantize step."""
    if step.kind not in ("quantize", "dequantize"):
        return
    a: Any = step.attributes
    (source,) = (host_value(trace, name).ravel() for name in step.inputs)
    (result,) = (host_value(trace, name).ravel() for name in step.outputs)
    assert source.size == result.size
    for i in (0, int(source.argmin()), int(source.argmax()), *rng.integers(source.size, size=64)):
        if step.kind == "quantize":
            output = hw.FixedFormat(**a["output"])
            value = float(source[i])
            wanted: float = quantize_one(value, a["scale"], a["zero_point"], output, a["formula"])
        else:
            wanted = dequantize_one(int(source[i]), a["scale"], a["zero_point"])
        assert result[i] == wanted, step.name


def check_host(lowered: Lowered, used: set[str], needs: set[str], target: qsim.Target) -> None:
    """Nothing stays on the host but what needs a primitive that the target lacks."""
    lacking = {primitive for primitive in needs if not target.has(primitive)}
    if lacking:  # a ReLU that follows a host operator is a clamp of its own
        assert used <= needs - lacking | {"clamp"}
    else:
        assert used == needs
    assert bool(lowered.host_operators) == bool(lacking)
    for operator in lowered.host_operators:
        assert any(primitive in operator.reason for primitive in lacking), operator
    assert len(lowered.programs) == 1 or lacking


def check_memory(lowered: Lowered) -> None:
    """What is not refused lies in the target's memory, and no two living tensors share a byte."""
    for program in lowered.programs:
        allocation = program.allocate()
        check_steps(allocation)
        assert not allocation.plan.astray
        limit = lowered.target.memory.bytes
        assert not limit or allocation.plan.size <= limit


def check_alone(lowered: Lowered, x: torch.Tensor, trace: Trace) -> None:
    """A sample's answer is its own, whatever it shares a batch with."""
    (together,) = trace.outputs
    assert len(np.unique(together)) > 1
    np.testing.assert_array_equal(lowered(x[1:].numpy()), together[1:])


def test_every_model_is_here_and_every_cut_has_a_definition() -> None:
    assert set(NEEDS) == set(NAMES)
    assert set().union(*NEEDS.values()) == NEEDS["digits"]
    assert all(any(early(name, target) for target in TARGETS) for name in NAMES)
    assert set(CUTS) <= set(DEFINITIONS)

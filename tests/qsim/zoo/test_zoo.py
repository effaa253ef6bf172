"""The zoo on five targets: what runs where and why, and that every way to run it is one network."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import qsim
from qsim import Target
from qsim.network.lowered import Lowered
from qsim.report.host_work import HostWork
from tests.qsim.zoo.expected import NEEDS, allowed
from tests.qsim.zoo.networks import ZOO, module, samples

TARGETS = ("tflite", "cmsis-nn", "onnxruntime", "xnnpack", "q7")
# One of each kind: cheap, and told apart by what they need.
EVERY_RUN = ("squeezenet", "densenet", "senet", "mobilenet_v3", "unet", "srcnn", "audio_resnet")
LEAST = 0.99
# Their convolutions are torch's own, whose float32 sums depend on the batch.
IN_TORCH = {"temporal_shift"}


@cache
def lowered(name: str, target: str) -> Lowered:
    contract = Target.load(target)
    calibration = [(samples(name, 4, seed=1),)]
    return qsim.lower(
        qsim.quantize(module(name), (samples(name, 1),), contract, calibration=calibration)
    )


@pytest.fixture(scope="module", autouse=True)
def _forget():
    yield
    lowered.cache_clear()


def check(name: str, target: str) -> None:
    network, contract = lowered(name, target), Target.load(target)
    lacks = {primitive for primitive in NEEDS.values() if not contract.has(primitive)}
    found = {(o.operator.removeprefix("aten."), o.kind) for o in network.host_operators}
    assert found <= allowed(name, lacks), sorted(found - allowed(name, lacks))
    for item in network.host_operators:
        assert item.reason
        if item.kind == "target":
            needed = NEEDS[item.operator.removeprefix("aten.")]
            assert item.lacks == needed
            assert item.reason == f"target {target} has no {needed}"
    x, work = samples(name, 3, seed=2).numpy(), HostWork()
    trace = network.trace(x, host=work.count)
    macs = sum(entry.macs for entry in trace.ledger) * trace.batch
    if ZOO[name].convolutional and target == "tflite" and name not in IN_TORCH:
        assert macs >= LEAST * (macs + work.total), "too much on the host"
    batch = outputs(network(x))
    assert len(batch) == len(trace.outputs)
    singles = [outputs(network(x[i : i + 1])) for i in range(len(x))]
    for position, (streamed, traced) in enumerate(zip(batch, trace.outputs, strict=True)):
        np.testing.assert_array_equal(streamed, traced)
        one_by_one = np.concatenate([single[position] for single in singles])
        if name not in IN_TORCH:
            np.testing.assert_array_equal(streamed, one_by_one)


def outputs(value: object) -> tuple[np.ndarray, ...]:
    return value if isinstance(value, tuple) else (value,)  # type: ignore[return-value]


@pytest.mark.parametrize("name", EVERY_RUN)
def test_some_networks_on_tflite(name: str) -> None:
    check(name, "tflite")


@pytest.mark.soak
@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("target", TARGETS)
def test_every_network_on_every_target(target: str, name: str) -> None:
    check(name, target)


def test_every_expectation_is_of_a_network() -> None:
    from tests.qsim.zoo.expected import HOST, MOVING

    assert set(HOST) | set(MOVING) | set(EVERY_RUN) <= set(ZOO)
    assert len(ZOO) >= 40

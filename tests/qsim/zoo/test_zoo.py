"""The zoo on five targets: what runs where and why, and that every way to run it is one network."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import qsim
from qsim import Target
from qsim.network.lowered import Lowered
from qsim.report.host_work import HostWork
from tests.qsim.zoo.expected import HOST, INDICES, MOVING, NEEDS, allowed
from tests.qsim.zoo.networks import ZOO, module, samples

TARGETS = ("tflite", "cmsis-nn", "onnxruntime", "xnnpack", "q7")
# One of each kind: cheap, and told apart by what they need.
EVERY_RUN = (
    *("densenet", "mobilenet_v3", "unet", "srcnn"),  # joins, gates, a transposed one, a resize
    *("espcn", "shufflenet_v2", "tcn", "c3d", "lstm_tagger"),  # moves, three dimensions, cells
)
LEAST = 0.99


@cache
def lowered(name: str, target: str) -> Lowered:
    contract = Target.load(target)
    calibration = [samples(name, 4, seed=1)]
    model = qsim.quantize(module(name), samples(name, 2), contract, calibration=calibration)
    assert model.batch, model.fixed
    return qsim.lower(model)


@pytest.fixture(scope="module", autouse=True)
def _forget():
    yield
    lowered.cache_clear()


def check(name: str, target: str) -> None:
    network, contract = lowered(name, target), Target.load(target)
    lacks = {primitive for primitive in NEEDS.values() if not contract.has(primitive)}
    found = {(o.operator.removeprefix("aten."), o.kind) for o in network.host_operators}
    assert found <= allowed(name, lacks, found), sorted(found - allowed(name, lacks, found))
    for item in network.host_operators:
        assert item.reason
        if item.kind == "target":
            needed = NEEDS[item.operator.removeprefix("aten.")]
            assert item.lacks == needed
            assert item.reason == f"target {target} has no {needed}"
        if item.kind == "integers":
            assert (
                item.reason == "it reads or makes integers or bools; the primitives compute float32"
            )
    x, work = samples(name, 3, seed=2), HostWork()
    trace = network.trace(*x, host=work.count)
    macs = sum(entry.macs for entry in trace.ledger) * trace.batch
    if ZOO[name].convolutional and target == "tflite":
        assert macs >= LEAST * (macs + work.total), "too much on the host"
    batch = leaves(network(*x))
    singles = [leaves(network(*(each[i : i + 1] for each in x))) for i in range(len(x[0]))]
    for position, (streamed, traced) in enumerate(zip(batch, trace.outputs, strict=True)):
        np.testing.assert_array_equal(streamed, traced)
        one_by_one = np.concatenate([single[position] for single in singles])
        np.testing.assert_array_equal(streamed, one_by_one)


def leaves(value: Any) -> list[np.ndarray]:
    """Return the tensors of a result, which may be one, several or by name."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in leaves(item)]
    return [] if value is None else [np.asarray(value)]


@pytest.mark.parametrize("name", EVERY_RUN)
def test_some_networks_on_tflite(name: str) -> None:
    check(name, "tflite")


@pytest.mark.soak
@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("target", TARGETS)
def test_every_network_on_every_target(target: str, name: str) -> None:
    if name.endswith(("Model", "LM")):
        pytest.importorskip("transformers")
    check(name, target)


def test_every_expectation_is_of_a_network() -> None:
    assert set(HOST) | set(MOVING) | set(EVERY_RUN) | INDICES <= set(ZOO)
    assert len(ZOO) >= 55

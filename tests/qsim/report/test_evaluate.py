"""The statistics of a run, against the same figures computed another way."""

from __future__ import annotations

import dataclasses
import hashlib
import math

import numpy as np
import pytest
import torch

import qsim
from qsim.report.evaluate import Batch, Evaluator, as_arrays, interpret, join, outputs_digest
from qsim.report.result import Evaluation


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 4, 3)
        self.act = torch.nn.ReLU(inplace=True)
        self.head = torch.nn.Linear(36, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.act(self.conv(x)).flatten(1))


def samples(count: int = 16) -> torch.Tensor:
    return torch.rand(count, 1, 5, 5, generator=torch.Generator().manual_seed(3)) * 2 - 1


def quantized(target: qsim.Target) -> qsim.Quantized:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Net()
    return qsim.quantize(net, (samples(2),), target, calibration=[(samples(8),)])


@pytest.fixture(scope="module")
def tflite() -> qsim.Quantized:
    return quantized(qsim.Target.load("tflite"))


def evaluate(model: qsim.Quantized, size: int = 16, labels: object = None) -> Evaluation:
    evaluator = Evaluator(qsim.lower(model), model)
    x = samples().numpy()
    for start in range(0, len(x), size):
        part = x[start : start + size]
        own = None if labels is None else labels[start : start + size]
        evaluator.add(Batch((part,), (part,), own))
    return evaluator.result()


def test_last_layer_by_hand(tflite: qsim.Quantized) -> None:
    """The output of the whole network is the last layer's tensor: three plain calls give it."""
    lowered = qsim.lower(tflite)
    layer = evaluate(tflite).layers[-1]
    with torch.no_grad():
        real = tflite.float_graph(samples()).double().numpy()
    spec = lowered.quantized_io().outputs[0]
    codes = lowered.trace(samples().numpy()).tensors[layer.tensor].astype(np.int64)
    qdq = np.rint(tflite(samples()).double().numpy() / spec.scale).astype(np.int64)
    difference = np.abs(codes - (qdq + spec.zero_point))
    assert layer.lsb_max == difference.max()
    assert layer.lsb_differing == np.count_nonzero(difference)
    noise = real - (codes - spec.zero_point) * spec.scale
    expected = 10 * math.log10((real**2).sum() / (noise**2).sum())
    # Sums of float64 in another order; the figure is printed with one decimal.
    assert math.isclose(layer.sqnr_db, expected, rel_tol=1e-9)


def test_first_layer_is_compared_after_its_activation(tflite: qsim.Quantized) -> None:
    """The ReLU is in place: the watched value must be the one that is quantized."""
    layer = evaluate(tflite).layers[0]
    assert layer.name == "conv"
    assert layer.has_qdq
    assert layer.lsb_max <= 1
    assert layer.sqnr_db > 30
    assert layer.macs == 4 * 9 * 9
    assert layer.clamped > 0


@pytest.mark.parametrize("size", [1, 5, 16])
def test_batches_add_up(tflite: qsim.Quantized, size: int) -> None:
    whole, parts = evaluate(tflite), evaluate(tflite, size)
    assert parts.samples == 16
    assert parts.outputs_sha256 == whole.outputs_sha256
    for mine, theirs in zip(parts.layers, whole.layers, strict=True):
        same = ("clamped", "elements", "macs", "overflows", "first_overflow")
        assert [getattr(mine, n) for n in same] == [getattr(theirs, n) for n in same]
        assert mine.accumulators == theirs.accumulators


def test_accuracy_and_agreement_are_counts(tflite: qsim.Quantized) -> None:
    with torch.no_grad():
        winners = tflite.float_graph(samples()).numpy().argmax(1)
    labels = winners.copy()
    labels[:4] = (labels[:4] + 1) % 3
    found = evaluate(tflite, 5, labels)
    assert found.accuracy["float"] == 12 / 16
    hardware = qsim.lower(tflite)(samples()).numpy().argmax(1)
    assert found.accuracy["hardware"] == (hardware == labels).mean()
    assert found.agreement["hardware"] == (hardware == winners).mean()
    assert evaluate(tflite).accuracy == {"float": None, "qdq": None, "hardware": None}


def test_overflows_are_where_the_ledger_says() -> None:
    """Each sample on its own tells which samples overflow; the batches must tell the same."""
    narrow = qsim.Target.load("narrow20")
    tight = dataclasses.replace(
        narrow, correlation=dataclasses.replace(narrow.correlation, bits=13)
    )
    model = quantized(tight)
    whole = evaluate(model, 5)
    layer = whole.layers[0]
    singles = []
    for index in range(16):
        evaluator = Evaluator(qsim.lower(model), model)
        x = samples().numpy()[index : index + 1]
        evaluator.add(Batch((x,), (x,)))
        singles.append(evaluator.result().layers[0])
    hits = [index for index, single in enumerate(singles) if single.overflows]
    assert hits
    assert layer.overflows == sum(single.overflows for single in singles)
    assert layer.first_overflow == (hits[0], *singles[hits[0]].first_overflow[1:])
    used = max(single.accumulators[0].bits_used for single in singles)
    assert layer.accumulators[0].bits_used == used > 13
    # The smallest safe width is safe, and one bit less is not.
    for bits, safe in ((used, True), (used - 1, False)):
        wider = dataclasses.replace(
            narrow, correlation=dataclasses.replace(narrow.correlation, bits=bits)
        )
        again = evaluate(quantized(wider)).layers[0]
        assert (again.accumulators[0].overflows == 0) is safe


def test_without_graphs_there_is_nothing_to_compare(tflite: qsim.Quantized) -> None:
    evaluator = Evaluator(qsim.lower(tflite))
    x = samples().numpy()
    evaluator.add(Batch((x,), (x,), np.zeros(16, np.int64)))
    found = evaluator.result()
    assert found.accuracy["float"] is None
    assert found.accuracy["hardware"] is not None
    assert found.agreement == {"qdq": None, "hardware": None}
    assert all(layer.sqnr_db is None and not layer.has_qdq for layer in found.layers)


def test_digest_is_as_documented() -> None:
    array = np.arange(6, dtype=np.int8).reshape(2, 3)
    plain = hashlib.sha256(b"|i1 2,3\n" + bytes(range(6))).hexdigest()
    assert outputs_digest([array]) == plain
    assert outputs_digest([np.asfortranarray(array)]) == plain
    assert outputs_digest([array.reshape(3, 2)]) != plain
    real = np.array([1.0, -0.0], np.float32)
    swapped = real.astype(real.dtype.newbyteorder(">"))
    assert outputs_digest([real]) == outputs_digest([swapped])
    assert outputs_digest([real]) != outputs_digest([np.array([1.0, 0.0], np.float32)])


def test_interpreting_leaves_the_inputs_alone(tflite: qsim.Quantized) -> None:
    x = samples().numpy()
    before = x.copy()
    seen: list[tuple[int, ...]] = []
    watch = {"conv2d": lambda value: seen.append(value.shape)}
    (out,) = interpret(tflite.float_graph, (x,), watch, codes=False)
    assert seen == [(16, 4, 3, 3)]
    assert np.array_equal(x, before)
    with torch.no_grad():
        assert np.array_equal(out, tflite.float_graph(samples()).numpy())


def test_outputs_of_any_nesting() -> None:
    one, two = torch.ones(1), np.zeros(2)
    found = as_arrays({"a": (one, [two]), "b": one})
    assert [array.shape for array in found] == [(1,), (2,), (1,)]
    assert as_arrays(None) == ()


def test_batches_that_do_not_stack_are_joined_flat() -> None:
    rows = [np.zeros((2, 3)), np.ones((1, 3))]
    assert join(rows).shape == (3, 3)
    assert join([np.float32(1).reshape(()), np.float32(2).reshape(())]).shape == (2,)
    assert join([np.zeros((3, 2)), np.ones((3, 1))]).shape == (9,)


class Causal(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q, self.k = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
        self.register_buffer("hidden", torch.ones(6, 6).triu(1).bool())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.q(x) @ self.k(x).mT
        return scores.masked_fill(self.hidden, float("-inf")).softmax(-1) @ x


def test_what_a_mask_hides_is_no_noise() -> None:
    """The signal and noise of masked scores, by hand, are those of what is shown."""
    x = torch.randn(8, 6, 4, generator=torch.Generator().manual_seed(1))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = qsim.quantize(Causal(), (x,), qsim.Target.load("tflite"))
    lowered = qsim.lower(model)
    evaluator = Evaluator(lowered, model)
    evaluator.add(Batch((x.numpy(),), (x.numpy(),), None))
    (layer,) = [each for each in evaluator.result().layers if each.node.startswith("mask")]
    net = torch.fx.Interpreter(model.float_graph)
    seen = {}
    net.run_node = lambda node: seen.setdefault(node.name, torch.fx.Interpreter.run_node(net, node))
    with torch.no_grad():
        net.run(x)
    trace = lowered.trace(x)
    spec = trace.specs[layer.tensor]
    found = (trace.tensors[layer.tensor].astype(np.float64) - spec.zero_point) * spec.scale
    shown = np.broadcast_to(~np.triu(np.ones((6, 6), bool), 1), found.shape)
    real = seen[layer.node].double().numpy()
    assert (real[~shown] < -1e9).all()
    signal, noise = np.square(real[shown]).sum(), np.square((real - found)[shown]).sum()
    assert layer.sqnr_db == pytest.approx(10 * math.log10(signal / noise))
    assert layer.sqnr_db > 25

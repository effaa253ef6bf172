"""An edge program whose delegates run in Python equals ``qsim.lower``, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qsim import Lowered
from qsim.errors import InputError, ModelError, UsageError
from qsim.executorch import QsimPartitioner, export, register, run_edge
from qsim.network.reading import from_bytes
from tests.qsim.executorch.edges import (
    batches,
    builtin,
    leaves,
    lowered_edge,
    network,
    operators,
    quantized,
    same,
    to_edge,
    write_pte,
)

pytestmark = pytest.mark.usefixtures("one_thread")

MODELS = (
    *("digits", "resnet8", "ds_cnn", "autoencoder"),
    *("mobilenet_v1", "mobilenet_v2", "resnet18"),
)
TARGETS = ("tflite", "q7", "onnxruntime")
# The other pairs are the soak's: the small networks below have their operators and targets.
QUICK = (("digits", "tflite"),)
REST = [(model, target) for model in MODELS for target in TARGETS if (model, target) not in QUICK]


def check_builtin(model: str, target: str, folder: Path) -> None:
    source, lowered = builtin(model, target)
    manager, partitioner = lowered_edge(source, max_batch=4)
    assert len(partitioner.report.regions) == 1
    assert partitioner.report.host == []
    assert operators(manager) == []
    program = write_pte(manager, folder)
    assert program.operators == ()
    (delegate,) = program._methods["forward"].delegates
    assert macs(from_bytes(delegate.blob)) == macs(lowered) > 0
    for size in (1, 4):
        inputs = batches(source, size)
        wanted = lowered(*inputs)
        assert same(run_edge(manager, *inputs), wanted)
        assert same(program(*inputs), wanted)


def macs(network: Lowered) -> int:
    return sum(program.macs(call) for program in network.programs for call in program.calls)


@pytest.mark.parametrize(("model", "target"), QUICK)
def test_builtin_models_equal_the_lowered_network(model: str, target: str, tmp_path: Path) -> None:
    check_builtin(model, target, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize(("model", "target"), REST)
def test_the_other_pairs_equal_the_lowered_network(model: str, target: str, tmp_path: Path) -> None:
    check_builtin(model, target, tmp_path)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("ConvNet", "onnxruntime"),
        ("Residual", "q7"),
        ("Sequence", "tflite"),
        ("SpatialMean", "tflite"),
        ("Products", "tflite"),
        ("HostInTheMiddle", "tflite"),
        ("TwoInputs", "q7"),
    ],
)
def test_small_networks_equal_the_lowered_network(name: str, target: str, tmp_path: Path) -> None:
    source, lowered = network(name, target)
    manager, partitioner = lowered_edge(source, max_batch=5)
    program = write_pte(manager, tmp_path)
    for size in (1, 5):
        inputs = batches(source, size)
        wanted = lowered(*inputs)
        assert same(run_edge(manager, *inputs), wanted)
        if not lowered.host_operators:  # the kernels of a .pte are not torch's to the last bit
            assert same(program(*inputs), wanted)
    assert [item.reason for item in partitioner.report.host] == [
        item.reason for item in lowered.host_operators
    ]


def test_a_fixed_batch_is_the_batch_of_the_export() -> None:
    source, lowered = network("ConvNet", "tflite")
    manager = to_edge(export(source, batch=3), QsimPartitioner(source.target))
    inputs = batches(source, 3)
    assert same(run_edge(manager, *inputs), lowered(*inputs))
    with pytest.raises(InputError, match=r"input 0 \(x\): has shape .*accepted: \(3, 3, 14, 22\)"):
        run_edge(manager, *batches(source, 2))


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 3)
        self.second = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> dict[str, Any]:
        return {"a": self.first(x), "b": [self.second(x), x]}


def test_results_are_nested_as_the_model_returns_them() -> None:
    source, lowered = quantized(Nested().eval(), (torch.randn(2, 4),), "tflite")
    manager, _ = lowered_edge(source)
    inputs = batches(source, 2)
    found = run_edge(manager, *inputs)
    assert same(found, lowered(*inputs))
    assert torch.equal(found["b"][1], inputs[0])


def test_inputs_are_checked_before_anything_runs() -> None:
    source, _ = network("TwoInputs", "q7")
    manager, _ = lowered_edge(source, max_batch=4)
    x, y = batches(source, 2)
    with pytest.raises(InputError, match=r"1 inputs were given \(accepted: 2\)"):
        run_edge(manager, x)
    with pytest.raises(InputError, match=r"input 1 .*is float64 \[2, 8\] .accepted: a tensor of"):
        run_edge(manager, x, y.double())
    with pytest.raises(InputError, match=r"input 1 .*has shape \(3, 8\)"):
        run_edge(manager, x, torch.cat([y, y])[:3])
    with pytest.raises(InputError, match=r"has shape \(5, 8\) \(accepted: \(1\.\.4, 8\)\)"):
        run_edge(manager, *batches(source, 5))


def test_what_is_no_edge_program_is_refused() -> None:
    with pytest.raises(UsageError, match=r"run_edge: Linear has no edge program 'forward'"):
        run_edge(nn.Linear(2, 2), torch.zeros(1, 2))
    source, _ = network("TwoInputs", "q7")
    manager, _ = lowered_edge(source)
    with pytest.raises(UsageError, match="no edge program 'backward'"):
        run_edge(manager, *batches(source, 2), method="backward")


def test_delegates_of_other_backends_run_on_registered_models() -> None:
    source, lowered = network("ConvNet", "tflite")
    manager, _ = lowered_edge(source)
    program = manager.exported_program()
    program.graph_module.lowered_module_0._backend_id = "Theirs"
    inputs = batches(source, 2)
    with pytest.raises(ModelError, match="'Theirs', which has no Python model"):
        run_edge(program, *inputs)
    seen: list[tuple[bytes, list[str]]] = []

    def model(blob: bytes, given: Any, specs: Any) -> Tensor:
        seen.append((blob, sorted(specs)))
        return leaves(lowered(*given))[0] + 1

    register("Theirs", model)
    try:
        assert torch.equal(run_edge(program, *inputs), lowered(*inputs) + 1)
    finally:
        register("Theirs", None)
    assert seen == [
        (
            program.graph_module.lowered_module_0.processed_bytes,
            ["qsim.format", "qsim.target", "qsim.target_hash"],
        )
    ]

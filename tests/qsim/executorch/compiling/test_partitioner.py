"""What the partitioner tags, what it leaves, and what it says about it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qsim.errors import ModelError, UsageError
from qsim.executorch import QsimPartitioner, export, run_edge
from qsim.executorch.compiling.prepare import prepare
from qsim.graph.capturing import quiet
from tests.qsim.executorch.edges import (
    batches,
    lowered_edge,
    network,
    operators,
    quantized,
    same,
    to_edge,
)

pytestmark = pytest.mark.usefixtures("one_thread")

LINEAR = "aten.linear.default"


def host(items: Any) -> list[tuple[str, str, str]]:
    return [(item.operator, item.layer, item.reason) for item in items]


def test_a_host_operator_cuts_a_network_into_two_delegates() -> None:
    source, lowered = network("HostInTheMiddle", "tflite")
    manager, partitioner = lowered_edge(source)
    report = partitioner.report
    assert [region.operators for region in report.regions] == [
        ("aten.conv2d.default",),
        ("aten.conv2d.default", "aten.view.default", "aten.softmax.int"),
    ]
    assert host(report.host) == host(lowered.host_operators)
    assert operators(manager) == ["aten.cumsum.default"]
    assert "outside: aten.cumsum.default in the model: no primitive computes it" in str(report)


def test_whole_refuses_and_names_what_does_not_fit() -> None:
    source, _ = network("HostInTheMiddle", "tflite")
    message = (
        r"QsimPartitioner\(whole=True\): does not fit into one delegate: aten.cumsum.default in "
        r"the model \(no primitive computes it\) .accepted: what target tflite computes"
    )
    with pytest.raises(ModelError, match=message):
        lowered_edge(source, whole=True)


class Pair(nn.Module):
    """Two networks that share nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(4, 3), nn.Linear(5, 2)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.left(x), self.right(y)


def test_whole_makes_one_delegate_of_parts_that_are_not_connected() -> None:
    source, lowered = quantized(Pair().eval(), (torch.randn(2, 4), torch.randn(2, 5)), "q7")
    inputs = batches(source, 2)
    counts = []
    for whole in (False, True):
        manager, partitioner = lowered_edge(source, whole=whole)
        counts.append(len(partitioner.report.regions))
        assert same(run_edge(manager, *inputs), lowered(*inputs))
    assert counts == [2, 1]


class Around(nn.Module):
    """A value that goes to a delegate directly and by way of a host operator."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 3, 1), nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        return self.second(torch.cumsum(y, 1)) + y


def test_a_region_is_cut_where_a_value_goes_around_it_and_codes_cross() -> None:
    source, lowered = quantized(Around().eval(), (torch.randn(2, 2, 5, 5),), "tflite")
    manager, partitioner = lowered_edge(source)
    assert [r.operators for r in partitioner.report.regions] == [
        ("aten.conv2d.default",),
        ("aten.conv2d.default", "aten.add.Tensor"),
    ]
    second = manager.exported_program().graph_module.lowered_module_1.original_module
    values = [
        n.meta["val"].dtype
        for n in second.graph.nodes
        if n.name in second.graph_signature.user_inputs
    ]
    assert set(values) == {torch.int8, torch.float32}
    inputs = batches(source, 2)
    assert same(run_edge(manager, *inputs), lowered(*inputs))


def test_quantized_io_leaves_the_boundary_to_executorchs_passes() -> None:
    from executorch.exir.passes.quantize_io_pass import QuantizeInputs, QuantizeOutputs

    source, lowered = network("ConvNet", "tflite")
    manager, partitioner = lowered_edge(source, quantized_io=True, whole=True)
    assert operators(manager) == [
        "quantized_decomposed.quantize_per_tensor.default",
        "quantized_decomposed.dequantize_per_tensor.default",
    ]
    assert partitioner.report.host == []
    inputs = batches(source, 2)
    assert same(run_edge(manager, *inputs), lowered(*inputs))
    with quiet():
        manager = manager.transform([QuantizeInputs(manager, [0]), QuantizeOutputs(manager, [0])])
    assert operators(manager) == []
    integers = lowered.quantized_io()
    spec = integers.inputs[0]
    codes = torch.randint(-128, 128, (2, *spec.shape[1:]), dtype=torch.int8)
    assert same(run_edge(manager, codes), integers(codes))


class Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.c(self.b(self.a(x)))


def test_what_the_quantizer_left_in_float_stays_outside_for_its_reason() -> None:
    # Also: of one operator, here linear, some nodes are kept whole and others are taken apart.
    source, lowered = quantized(
        Layers().eval(), (torch.randn(2, 6),), "tflite", modules={"b": {"skip": True}}
    )
    assert [item.operator for item in lowered.host_operators] == [LINEAR]
    manager, partitioner = lowered_edge(source, max_batch=4)
    assert [region.operators for region in partitioner.report.regions] == [(LINEAR,)] * 2
    assert {item.reason for item in partitioner.report.host} == {lowered.host_operators[0].reason}
    assert LINEAR not in operators(manager)
    inputs = batches(source, 2)
    assert same(run_edge(manager, *inputs), lowered(*inputs))


class Tied(nn.Module):
    """One layer, used twice, with a host operator between."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(torch.cumsum(self.layer(x), 1))


def test_constants_that_two_delegates_read_go_into_both() -> None:
    source, lowered = quantized(Tied().eval(), (torch.randn(2, 5),), "tflite")
    manager, partitioner = lowered_edge(source)
    assert len(partitioner.report.regions) == 2
    assert manager.exported_program().state_dict == {}
    inputs = batches(source, 2)
    assert same(run_edge(manager, *inputs), lowered(*inputs))


def test_prepare_gives_every_dequantize_one_reader_and_drops_sizes() -> None:
    source, _ = network("ConvNet", "tflite")
    program = export(source, max_batch=4)
    merged = 0
    for node in list(program.graph.nodes):
        twin = next((n for n in program.graph.nodes if n is not node and _twin(n, node)), None)
        if twin is not None and "dequantize" in node.name:
            node.replace_all_uses_with(twin)
            program.graph.erase_node(node)
            merged += 1
    prepared = prepare(program)
    names = [str(node.target) for node in prepared.graph.nodes]
    assert "aten.sym_size.int" not in names
    assert "aten.flatten.using_ints" not in names
    readers = [len(n.users) for n in prepared.graph.nodes if "dequantize" in n.name]
    assert set(readers) == {1}
    assert prepare(prepared) is prepared
    inputs = batches(source, 3)
    assert same(prepared.module()(*inputs), program.module()(*inputs))


def _twin(a: Any, b: Any) -> bool:
    return a.op == b.op == "call_function" and (a.target, a.args) == (b.target, b.args)


def test_a_target_is_wanted_not_its_name() -> None:
    with pytest.raises(UsageError, match=r"must be a qsim.Target, not 'q7'"):
        QsimPartitioner("q7")  # type: ignore[arg-type]


def test_constants_that_were_never_seen_are_asked_for() -> None:
    from executorch.exir import to_edge as executorchs_to_edge

    source, _ = network("ConvNet", "tflite")
    message = r"QsimPartitioner: the values of the constant '.*' are not known.*to_edge_transform_a"
    with quiet():
        manager = executorchs_to_edge(export(source))
        with pytest.raises(UsageError, match=message):
            manager.to_backend(QsimPartitioner(source.target))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"batch": 1, "max_batch": 2}, "batch is 1, max_batch 2 .accepted: one of them, >= 1"),
        ({"batch": 0}, "batch is 0"),
    ],
)
def test_export_wants_one_size(sizes: dict[str, int], message: str) -> None:
    source, _ = network("ConvNet", "tflite")
    with pytest.raises(UsageError, match=message):
        export(source, **sizes)


class FixedBatch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.reshape(3, 4))


def test_a_network_that_fixes_its_batch_is_exported_as_it_is() -> None:
    source, lowered = quantized(FixedBatch().eval(), (torch.randn(3, 4),), "tflite")
    with pytest.raises(UsageError, match="the network fixes its batch"):
        export(source, batch=3)
    manager = to_edge(export(source), QsimPartitioner(source.target))
    inputs = (torch.randn(3, 4),)
    assert same(run_edge(manager, *inputs), lowered(*inputs))


def test_the_core_asks_for_neither_executorch_nor_torch() -> None:
    import subprocess
    import sys

    code = "import sys, qsim.executorch; print({'torch', 'executorch'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"

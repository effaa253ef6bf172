"""Comparing programs operator by operator: identical, one weight changed, another target."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from qsim import Quantized
from qsim.errors import InputError, ModelError, UsageError
from qsim.executorch import Comparison, Pte, compare, to_edge
from qsim.executorch.comparing.comparison import Row, _row
from qsim.executorch.comparing.record import Record
from qsim.graph.capturing import quiet
from tests.qsim.executorch import pte_nets as nets
from tests.qsim.executorch.edges import batches, lowered_edge, network
from tests.qsim.executorch.integers import codes as random_codes

pytestmark = pytest.mark.usefixtures("one_thread")


def delegated(source: Quantized) -> Pte:
    import executorch.kernels.quantized  # noqa: F401 - its operators, before memory is planned

    manager, _ = lowered_edge(source)
    with quiet():
        return Pte(bytes(manager.to_executorch().buffer))


@cache
def pte_of(name: str, target: str) -> Pte:
    return delegated(network(name, target)[0])


def changed_weight(source: Quantized, name: str) -> Quantized:
    """Return the network with one code of a weight another."""
    found = copy.copy(source)
    found.graph = copy.copy(source.graph)
    weight = getattr(source.graph, name).clone()
    weight.view(-1)[0] ^= 1
    setattr(found.graph, name, torch.nn.Parameter(weight, requires_grad=False))
    return found


def names(comparison: Comparison) -> list[str]:
    return [f"{row.name} {row.operator}" for row in comparison.rows]


def test_a_program_equals_itself_operator_by_operator() -> None:
    source, lowered = network("ConvNet", "tflite")
    pte = pte_of("ConvNet", "tflite")
    inputs = batches(source, 2)
    found = compare(pte, pte, inputs)
    assert found.equal
    assert found.first is None
    assert found.alone == ((), ())
    calls = [call for program in lowered.programs for call in program.calls]
    assert len(found.rows) == len(calls) + 3  # quantize, dequantize, and the output
    assert next(name for name in names(found) if "correlation" in name).startswith("conv")
    assert str(found).endswith(f"all {len(found.rows)} rows are equal")
    assert compare(pte, lowered, inputs).equal
    assert compare(pte, lowered, inputs).alone == ((), ())


def test_the_first_operator_behind_a_changed_weight_is_named() -> None:
    source, _ = network("Residual", "q7")
    weights = [n for n in source.graph.state_dict() if n.startswith("_frozen_param")]
    other = delegated(changed_weight(source, weights[2]))
    found = compare(pte_of("Residual", "q7"), other, batches(source, 2))
    first = found.first
    assert first is not None
    assert not found.equal
    assert first.operator == "correlation"
    before = found.rows[: found.rows.index(first)]
    assert len(before) > 3
    assert not any(row.differing for row in before)
    assert (first.left, first.right) != (None, None)
    assert first.left != first.right
    assert 0 < first.differing <= first.elements
    assert f"first: {first.name} (correlation)" in str(found)


def test_codes_are_compared_with_the_eager_graph_layer_by_layer() -> None:
    source, _ = network("ConvNet", "tflite")
    inputs = batches(source, 2)
    found = compare(pte_of("ConvNet", "tflite"), source, inputs)
    quantizes = [
        node.name
        for node in source.graph.graph.nodes
        if node.op == "call_function" and "quantize_per_tensor" in node.name
        and not node.name.startswith("de")
    ]  # fmt: skip
    codes = [row for row in found.rows if "(quantize_per_tensor)" in row.partner]
    assert [row.partner.split()[0] for row in codes] == [*quantizes]
    # Integers against floats that are rounded: a code may be one off, and seldom is.
    assert all(row.largest in (None, 1) for row in codes)
    again = compare(pte_of("ConvNet", "tflite"), source.graph, inputs)
    assert again.rows == found.rows


def test_integers_at_the_boundary_are_compared_with_a_graph_of_floats() -> None:
    source, lowered = network("ConvNet", "tflite")
    pte = Pte(to_edge(source, quantized_io=True).to_pte())
    codes = lowered.quantized_io()
    given = random_codes(codes, 2)
    found = compare(pte, source, given)
    assert [row.partner.split()[0] for row in found.rows][-1] == "output"
    assert found.rows[-1].dtype == "int8"
    assert all(row.largest in (None, 1) for row in found.rows if row.dtype == "int8")
    assert compare(pte, lowered, given).equal
    assert compare(pte, codes, given).equal


def test_another_target_differs_where_its_arithmetic_does() -> None:
    inputs = batches(network("ConvNet", "tflite")[0], 2)
    found = compare(pte_of("ConvNet", "tflite"), pte_of("ConvNet", "onnxruntime"), inputs)
    assert found.alone == ((), ())
    assert found.rows[0].dtype == "int8/uint8"
    assert found.rows[0].differing == 0  # without their zero points
    assert next(row.differing for row in found.rows if row.operator == "correlation") == 0


def test_programs_without_delegates_are_aligned_by_operator_and_shape() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 9, 7)
    net = nets.Convolutions().eval()
    one = Pte(nets.program(net, (x,)).buffer)
    assert compare(one, one, x).equal
    with torch.no_grad():
        net.depthwise.weight[0, 0, 0, 0] += 1
    other = Pte(nets.program(net, (x,)).buffer)
    first = compare(one, other, x).first
    assert first is not None
    assert first.operator == "convolution"
    # The first convolution and what follows it are equal; the second is the changed one.
    rows = compare(one, other, x).rows
    convolutions = [row for row in rows if row.operator == "convolution"]
    assert [bool(row.differing) for row in convolutions] == [False, True, True]


def test_an_operator_more_has_no_partner() -> None:
    class More(nets.Dense):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return torch.relu(torch.tanh(self.linear(x))), x.reshape(-1)

    torch.manual_seed(0)
    x = torch.randn(3, 4)
    less = nets.Dense()
    more = More()
    more.load_state_dict(less.state_dict())
    found = compare(*(Pte(nets.program(net, (x,)).buffer) for net in (less, more)), x)
    assert found.alone[0] == ()
    assert [name.split("(")[1] for name in found.alone[1]] == ["tanh)"]
    assert found.first is not None
    assert found.first.operator == "relu"


def test_watching_leaves_later_runs_as_they_were() -> None:
    source, lowered = network("ConvNet", "tflite")
    pte = pte_of("ConvNet", "tflite")
    inputs = batches(source, 2)
    for _ in range(4):
        assert torch.equal(pte(*inputs), lowered(*inputs))
        assert compare(pte, pte, inputs).equal


def test_tables_fit_into_a_hundred_columns() -> None:
    source, _ = network("ConvNet", "tflite")
    found = compare(pte_of("ConvNet", "tflite"), source, batches(source, 2))
    assert max(len(line) for line in str(found).splitlines()) <= 100
    row = Row("n" * 90, "o" * 90, "p", "float32/float64", "[1,2]" * 9, 10**9, 10**9)
    wide = Comparison((row,), (tuple(map(str, range(99))), ("x",)))
    assert max(len(line) for line in str(wide).splitlines()) <= 100


def record(value: Any, zero_point: int | None = None) -> Record:
    return Record.of(np.asarray(value), "a", "b", "c", "codes", "", zero_point)


@pytest.mark.parametrize(
    ("left", "right", "differing", "first"),
    [
        ([0.0, 1.0], [-0.0, 1.0], 1, ((0,), 0.0, -0.0, 0.0)),
        ([np.nan, 1.0], [np.nan, 1.0], 0, (None, None, None, None)),
        ([1, 2, 3], [1, 5, 1], 2, ((1,), 2, 5, 3)),
        (np.int8([1, 2]), np.int32([1, 2]), 0, (None, None, None, None)),
        (np.float32([1]), np.float64([1]), 1, ((0,), 1.0, 1.0, 0.0)),
        (3, 4, 1, ((), 3, 4, 1)),
        ([True], [False], 1, ((0,), True, False, None)),
    ],
)
def test_bits_are_compared(left: Any, right: Any, differing: int, first: tuple[Any, ...]) -> None:
    row = _row(record(left), record(right))
    assert row.differing == differing
    assert (row.index, row.left, row.right, row.largest) == first


def test_other_shapes_differ_as_a_whole() -> None:
    row = _row(record([[1, 2]]), record([1, 2, 3]))
    assert (row.shape, row.differing, row.index) == ("[1,2]/[3]", 3, None)


def test_what_cannot_be_compared_is_refused() -> None:
    source, _ = network("ConvNet", "tflite")
    pte = pte_of("ConvNet", "tflite")
    inputs = batches(source, 2)
    with pytest.raises(UsageError, match="left is a Quantized"):
        compare(source, pte, inputs)
    with pytest.raises(UsageError, match="right is a Linear"):
        compare(pte, torch.nn.Linear(2, 2), inputs)
    with pytest.raises(UsageError, match="no method 'backward'"):
        compare(pte, pte, inputs, method="backward")
    with pytest.raises(InputError, match="input 0: is float64"):
        compare(pte, source, inputs[0].double())
    dense = Pte(nets.program(nets.Dense(), (torch.zeros(3, 4),)).buffer)
    relu = Pte(nets.program(torch.nn.ReLU(), (torch.zeros(3, 4),)).buffer)
    with pytest.raises(InputError, match="the eager graph: it refuses the inputs"):
        compare(relu, source.graph, torch.zeros(3, 4))
    with pytest.raises(ModelError, match="they return 2 and 1 outputs"):
        compare(dense, relu, torch.zeros(3, 4))

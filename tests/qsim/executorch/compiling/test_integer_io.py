"""Integers in, integers out: eager, edge program and ``.pte`` agree on every code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from qsim import Target, lower, quantize
from qsim.errors import ModelError
from qsim.executorch import Pte, qparams, run_edge, to_edge
from qsim.executorch.delegates import open_blob
from qsim.executorch.pte import DelegateCall, TensorSpec
from tests.qsim.executorch.edges import leaves, operators
from tests.qsim.executorch.integers import (
    Corners,
    Dense,
    Floats,
    HostInput,
    codes,
    eager,
    equal,
    made,
    q07,
)

pytestmark = pytest.mark.usefixtures("one_thread")

Q07 = (2.0**-7, 0, -128, 127, torch.int8)
Q15 = (2.0**-15, 0, -32768, 32767, torch.int16)


def check(source: Any, lowered: Any, **options: Any) -> tuple[Any, Pte]:
    """Compare the three on batches of 1 and 4; return the edge program and the ``.pte``."""
    integers = lowered.quantized_io()
    edge = to_edge(source, max_batch=4, quantized_io=True, **options)
    pte = Pte(edge.to_pte())
    for batch in (1, 4):
        given = codes(integers, batch)
        wanted = eager(integers, *given)
        assert equal(edge(*given), wanted)
        assert equal(pte(*given), wanted)
    return edge, pte


# --- Q0.7: nothing but integers -----------------------------------------------------------------


def test_q07_in_and_out_is_the_same_in_three_ways() -> None:
    _, lowered, edge = q07()
    integers, pte = lowered.quantized_io(), Pte(edge.to_pte())
    assert qparams(pte) == {"inputs": [Q07], "outputs": [Q07]}
    for batch in (1, 4):
        given = codes(integers, batch)
        wanted = eager(integers, *given)
        assert wanted[0].unique().numel() > batch  # not saturated
        assert equal(edge(*given), wanted)
        assert equal(pte(*given), wanted)


def test_q07_leaves_no_float_operator_in_the_edge_program() -> None:
    _, _, edge = q07()
    program = edge.manager.exported_program()
    called = [node for node in program.graph.nodes if node.op == "call_function"]
    assert [str(node.target) for node in called] == [
        "executorch_call_delegate",
        "<built-in function getitem>",
    ]
    assert operators(edge.manager) == []
    tensors = [
        value
        for node in program.graph.nodes
        if node.op in ("placeholder", "call_function")
        for value in leaves(node.meta["val"])
    ]
    assert len(tensors) == 3
    assert {value.dtype for value in tensors} == {torch.int8}


def test_q07_leaves_no_float_operator_in_the_pte() -> None:
    _, _, edge = q07()
    method = Pte(edge.to_pte())._method("forward")
    assert method.operators == ()
    (chain,) = method.chains
    assert [type(instruction) for instruction in chain] == [DelegateCall]
    assert [type(value) for value in method.values] == [TensorSpec, TensorSpec]
    assert {value.dtype for value in method.values} == {torch.int8}  # type: ignore[union-attr]
    (delegate,) = method.delegates
    network = open_blob(delegate.blob, delegate.compile_specs)
    assert [step.kind for step in network.steps] == ["program"]
    assert network.host_operators == ()
    assert {spec.dtype for spec in (*network.inputs, *network.outputs)} == {"int8"}
    (program,) = network.programs
    assert [call.primitive for call in program.calls] == [
        *("correlation", "bias_add", "requantize", "max_pool", "reshape"),
        *("linear", "bias_add", "requantize", "lookup"),
    ]
    assert all(spec.format is not None for spec in program.tensors.values())
    assert {array.dtype.kind for array in program.constants.values()} == {"i"}
    numbers = [n for call in program.calls for n in _numbers(call.attributes)]
    assert numbers
    assert float not in {type(number) for number in numbers}


def _numbers(tree: Any) -> list[Any]:
    if isinstance(tree, dict) or hasattr(tree, "items"):
        return [n for value in tree.values() for n in _numbers(value)]
    if isinstance(tree, (list, tuple)):
        return [n for value in tree for n in _numbers(value)]
    return [tree]


def test_q07_runs_without_a_float_tensor() -> None:
    _, lowered, edge = q07()
    integers, pte = lowered.quantized_io(), Pte(edge.to_pte())
    given = codes(integers, 2)
    with Floats() as floats:
        found, again = run_edge(edge.manager, *given), pte(*given)
    assert floats.seen == []
    assert torch.equal(found, again)
    trace = integers.trace(*(value.numpy() for value in given))
    assert {array.dtype.kind for array in trace.tensors.values()} == {"i"}
    with Floats() as floats:
        lowered(torch.zeros(1, 2, 8, 8)) + 1.0
    assert floats.seen  # the watch sees floats where there are some


def test_the_float_network_is_the_integers_between_two_conversions() -> None:
    _, lowered, edge = q07()
    (given,) = codes(lowered.quantized_io(), 4)
    real = given.to(torch.float32) * 2.0**-7  # exact: so is every Q0.7
    assert torch.equal(lowered(real), edge(given).to(torch.float32) * 2.0**-7)


# --- other formats ------------------------------------------------------------------------------


def test_q15_in_and_out() -> None:
    fixed = {"inputs": {"x": "Q15"}, "outputs": {"0": "Q0.15"}}
    edge, pte = check(*made(Dense, Target.load("q15"), (8,), **fixed))
    assert operators(edge.manager) == []
    assert (pte.operators, len(pte.delegates)) == ((), 1)
    assert qparams(pte) == {"inputs": [Q15], "outputs": [Q15]}
    assert {value.dtype for value in (*pte.inputs, *pte.outputs)} == {torch.int16}


def wide(bits: int, *, signed: bool) -> Target:
    fields = Target.load("tflite").to_dict()
    for section in ("input", "output"):
        fields[section] |= {"bits": bits, "signed": signed}
    fields["add"]["left_shift"] = 10
    return Target.from_dict(fields)


@pytest.mark.parametrize(
    ("target", "dtype", "ends"),
    [
        (Target.load("tflite"), torch.int8, (-128, 127)),
        pytest.param(Target.load("onnxruntime"), torch.uint8, (0, 255), marks=pytest.mark.soak),
        pytest.param(wide(12, signed=False), torch.int32, (0, 4095), marks=pytest.mark.soak),
        pytest.param(wide(16, signed=True), torch.int16, (-32768, 32767), marks=pytest.mark.soak),
        pytest.param(wide(18, signed=True), torch.int32, (-131072, 131071), marks=pytest.mark.soak),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_calibrated_codes_of_every_container(target: Target, dtype: Any, ends: Any) -> None:
    source, lowered = made(Dense, target, (8,))
    edge, pte = check(source, lowered)
    specs = lowered.quantized_io()
    (given,), (made_of,) = qparams(pte)["inputs"], qparams(pte)["outputs"]
    for stated, spec in ((given, specs.inputs[0]), (made_of, specs.outputs[0])):
        assert stated == (spec.scale, spec.zero_point, *ends, dtype)
    assert (pte.inputs[0].dtype, pte.outputs[0].dtype) == (dtype, dtype)  # type: ignore[union-attr]
    # The caller converts with the stated numbers alone.
    assert given is not None
    assert made_of is not None
    x = np.random.default_rng(0).uniform(-1, 1, (4, 8)).astype(np.float32)
    coded = np.round(x / np.float32(given.scale)) + given.zero_point
    coded = np.clip(coded, given.quant_min, given.quant_max)
    result = edge(torch.from_numpy(coded).to(dtype)).to(torch.float32)
    real = (result - made_of.zero_point) * made_of.scale
    assert torch.equal(real, lowered(torch.from_numpy(x)))


# --- what stands at the boundary ----------------------------------------------------------------


@pytest.mark.parametrize("whole", [True, pytest.param(False, marks=pytest.mark.soak)])
def test_several_inputs_and_outputs_with_several_readers(*, whole: bool) -> None:
    source, lowered = made(Corners, Target.load("tflite"), (4,), (4,))
    edge, pte = check(source, lowered, whole=whole)
    assert operators(edge.manager) == []
    assert pte.operators == ()
    found = qparams(pte)
    x, y = found["inputs"]
    z, same_x, same_z, again, positions, relu = found["outputs"]
    assert x != y
    assert (same_x, same_z, positions) == (x, z, None)
    assert None not in (x, y, z, again, relu)
    given = codes(lowered.quantized_io(), 3)
    results = edge(*given)
    assert torch.equal(results[1], given[0])
    assert list(results[3]) == ["again"]
    assert results[4].dtype == torch.int64


def test_the_host_reads_what_the_codes_of_an_input_stand_for() -> None:
    source, lowered = made(HostInput, Target.load("tflite"), (4,))
    edge, pte = check(source, lowered)
    assert pte.operators == ("aten::cumsum.out",)
    assert [item.operator for item in edge.report.host] == ["aten.cumsum.default"]
    x, _, same = (*qparams(pte)["inputs"], *qparams(pte)["outputs"][1:])
    assert x == same


class Table(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.last = nn.Embedding(11, 6), nn.Linear(6, 3)

    def forward(self, tokens: Tensor, x: Tensor) -> Tensor:
        return self.last(self.table(tokens) + x)


@pytest.mark.soak
def test_integers_that_are_no_codes_stay_as_they_are() -> None:
    inputs = (torch.arange(10).reshape(2, 5), torch.randn(2, 5, 6))
    source = quantize(Table().eval(), inputs, Target.load("tflite"))
    edge = to_edge(source, max_batch=4, quantized_io=True)
    pte = Pte(edge.to_pte())
    tokens, x = qparams(pte)["inputs"]
    assert tokens is None
    assert x is not None
    given = (inputs[0], torch.randint(-128, 128, (2, 5, 6), dtype=torch.int8))
    wanted = leaves(lower(source).quantized_io()(*given))
    assert equal(edge(*given), wanted)
    assert equal(pte(*given), wanted)


def test_two_formats_of_one_input_are_rescaled_in_integers() -> None:
    """The quantizer makes no such graph; a person may."""
    source, _ = made(Corners, Target.load("tflite"), (4,), (4,))
    coded: Any = torch.ops.quantized_decomposed.quantize_per_tensor.default
    graph = source.graph.graph
    first, *_ = (n for n in graph.nodes if n.target is coded and n.args[0].name == "x")
    reader = next(iter(first.users))
    params = (first.args[1] * 2, 5, *first.args[3:])
    with graph.inserting_before(reader):
        second = graph.call_function(coded, (first.args[0], *params))
    second.meta = dict(first.meta)
    reader.args = (second, *params)
    source.graph.recompile()
    with pytest.raises(ModelError, match="input 'x': it is quantized in different ways"):
        lower(source).quantized_io()
    edge = to_edge(source, max_batch=4, quantized_io=True)
    pte = Pte(edge.to_pte())
    assert pte.operators == ()
    assert qparams(pte)["inputs"][0] == first.args[1:]
    blobs = [delegate.blob for delegate in pte._method("forward").delegates]
    called = [call for blob in blobs for p in open_blob(blob).programs for call in p.calls]
    assert "x" in {call.inputs[0] for call in called if call.primitive == "requantize"}
    given = tuple(torch.randint(-128, 128, (3, 4), dtype=torch.int8) for _ in range(2))
    assert equal(pte(*given), leaves(edge(*given)))


class Ends(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.last = kind, nn.Linear(4, 4)

    def forward(self, x: Tensor, y: Tensor) -> Any:
        z = self.last(x)
        if self.kind == "host input":
            return self.last(z + torch.cumsum(y, 1))
        if self.kind == "host output":
            return torch.cumsum(self.last(y), 1).split(1, 1)[1], z
        if self.kind == "passed on":
            return z, y
        return z


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            "host input",
            r"input 'y': the host operator aten.cumsum.default \(no primitive .*\) takes",
        ),
        (
            "host output",
            r"output 'slice\w*': the host operator aten.slice.Tensor \(.*\) makes it",
        ),
        ("passed on", r"input 'y': nothing quantizes it: it is returned as it came"),
        ("unused", r"input 'y': nothing quantizes it: no operator reads it"),
    ],
)
def test_what_has_no_codes_is_refused_by_name(kind: str, message: str) -> None:
    inputs = (torch.randn(2, 4), torch.randn(2, 4))
    source = quantize(Ends(kind).eval(), inputs, Target.load("tflite"))
    with pytest.raises(ModelError, match=message):
        to_edge(source, quantized_io=True)

"""An exported program with integers in and out is as consistent as any other."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch.export import ExportedProgram

from qsim import Target
from qsim.executorch import export, qparams, run_edge
from qsim.graph.capturing import quiet
from tests.qsim.executorch.edges import leaves, to_edge
from tests.qsim.executorch.integers import Corners, codes, equal, made, q07

pytestmark = pytest.mark.usefixtures("one_thread")

QUANTIZE: Any = torch.ops.quantized_decomposed.quantize_per_tensor.default
DEQUANTIZE: Any = torch.ops.quantized_decomposed.dequantize_per_tensor.default


def through_a_file(program: ExportedProgram) -> ExportedProgram:
    file = io.BytesIO()
    with quiet():
        torch.export.save(program, file)
        file.seek(0)
        return torch.export.load(file)


def dtypes(program: ExportedProgram) -> tuple[list[Any], list[Any]]:
    """Return the types of inputs and outputs that the nodes of the signature have."""
    nodes = {node.name: node for node in program.graph.nodes}
    signature = program.graph_signature
    return (
        [nodes[name].meta["val"].dtype for name in signature.user_inputs],
        [nodes[name].meta["val"].dtype for name in signature.user_outputs],
    )


@pytest.fixture(scope="module")
def corners() -> tuple[ExportedProgram, Any]:
    source, lowered = made(Corners, Target.load("tflite"), (4,), (4,))
    return export(source, max_batch=4, quantized_io=True), lowered.quantized_io()


def test_the_signature_has_the_integer_types(corners: Any) -> None:
    program, _ = corners
    int8, int64 = torch.int8, torch.int64
    assert dtypes(program) == ([int8, int8], [int8, int8, int8, int8, int64, int8])
    assert program.graph_signature.user_outputs[1] == program.graph_signature.user_inputs[0]
    assert [value.dtype for value in program.example_inputs[0]] == [int8, int8]
    for node in program.graph.nodes:
        assert not (node.target is QUANTIZE and node.args[0].op == "placeholder")
        assert not (node.target is DEQUANTIZE and node.users.keys() & {program.graph.output_node()})


def test_save_and_load_change_nothing(corners: Any) -> None:
    program, integers = corners
    again = through_a_file(program)
    assert dtypes(again) == dtypes(program)
    assert qparams(again) == qparams(program)
    assert again.call_spec.out_spec == program.call_spec.out_spec
    assert [str(n.target) for n in again.graph.nodes] == [
        str(n.target) for n in program.graph.nodes
    ]
    for batch in (1, 4):
        given = codes(integers, batch)
        wanted = program.module()(*given)
        found = again.module()(*given)
        assert equal(found, leaves(wanted))
        assert found[3].keys() == {"again"}


def test_decompositions_change_nothing(corners: Any) -> None:
    program, integers = corners
    with quiet():
        core = through_a_file(program).run_decompositions()
    assert dtypes(core) == dtypes(program)
    assert qparams(core) == qparams(program)
    given = codes(integers, 3)
    assert equal(core.module()(*given), leaves(program.module()(*given)))


def test_a_loaded_program_is_delegated_as_the_first_one() -> None:
    from qsim.executorch import QsimPartitioner

    source, _, edge = q07()
    program = through_a_file(export(source, max_batch=4, quantized_io=True))
    manager = to_edge(program, QsimPartitioner(source.target))
    first, second = (
        found.exported_program().graph_module.lowered_module_0.processed_bytes
        for found in (edge.manager, manager)
    )
    assert first == second


def test_delegated_programs_are_saved_by_executorch_not_by_torch() -> None:
    from executorch.exir import load, save

    _, lowered, edge = q07()
    program = edge.manager.exported_program()
    assert dtypes(program) == ([torch.int8], [torch.int8])
    with quiet(), pytest.raises(Exception, match="Failed serializing node executorch_call_delegat"):
        torch.export.save(program, io.BytesIO())
    file = io.BytesIO()
    with quiet():
        save(program, file)
        file.seek(0)
        again = load(file)
    assert dtypes(again) == dtypes(program)
    given = codes(lowered.quantized_io(), 3)
    assert torch.equal(run_edge(again, *given), edge(*given))


class Relu(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x)


def test_torch_does_not_load_the_smallest_edge_program() -> None:
    """If this fails, torch can do more than docs/executorch.md says."""
    edge = to_edge(torch.export.export(Relu(), (torch.ones(2),)))
    with quiet(), pytest.raises(RuntimeError, match="error when deserializing the saved file"):
        through_a_file(edge.exported_program())

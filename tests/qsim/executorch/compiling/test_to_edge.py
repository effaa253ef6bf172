"""One call from a quantized network to its edge program and its ``.pte``."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from qsim import Target, quantize
from qsim.errors import ModelError, UsageError
from qsim.executorch import Pte, export, load, to_edge
from qsim.executorch.compiling import edge_program
from tests.qsim.executorch.edges import batches, network, same

pytestmark = pytest.mark.usefixtures("one_thread")


def test_an_edge_program_is_called_like_the_model_and_saved(tmp_path: Path) -> None:
    source, lowered = network("TwoInputs", "q7")
    edge = to_edge(source, max_batch=4)
    assert edge.target is source.target
    assert len(edge.report.regions) == 1
    first = edge.to_pte()
    assert edge.to_pte() == first  # making a file changes nothing
    edge.save(tmp_path / "net.pte")
    assert (tmp_path / "net.pte").read_bytes() == first
    assert Pte(first).methods == ("forward",)
    for size in (1, 4):
        inputs = batches(source, size)
        assert same(edge(*inputs), lowered(*inputs))
        assert same(load(tmp_path / "net.pte")(*inputs), lowered(*inputs))
    with pytest.raises(UsageError, match="no such file or directory"):
        edge.save(tmp_path / "missing" / "net.pte")
    assert [item.name for item in tmp_path.iterdir()] == ["net.pte"]


def test_sizes_and_whole_are_those_of_export_and_partitioner() -> None:
    source, _ = network("HostInTheMiddle", "tflite")
    with pytest.raises(UsageError, match=r"batch is 1, max_batch 2 .accepted: one of them"):
        to_edge(source, batch=1, max_batch=2)
    with pytest.raises(ModelError, match=r"does not fit into one delegate: aten.cumsum.default"):
        to_edge(source, whole=True)


class Unknown(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.adaptive_max_pool2d(x, 3)


def test_a_batch_that_executorch_closes_is_refused() -> None:
    # No operator is known that it still closes the batch with: the passes write `chunk` as slices.
    closed = torch.export.export(nn.Linear(4, 4), (torch.randn(2, 4),))
    message = (
        r"input 'input': an operator outside delegates fixes the batch to 2 "
        r"\(accepted: batch, not max_batch\)"
    )
    with pytest.raises(ModelError, match=message):
        edge_program._check_open(closed)


def test_what_executorch_refuses_is_one_line() -> None:
    source = quantize(Unknown().eval(), (torch.randn(2, 2, 8, 8),), Target.load("tflite"))
    with pytest.raises(ModelError, match="ExecuTorch refuses it: SpecViolationError") as caught:
        to_edge(source)
    assert "\n" not in str(caught.value)


def test_sequences_of_any_length_are_those_exported_one_by_one() -> None:
    model, x = nn.Linear(3, 2).eval(), torch.rand(1, 2, 3)
    source = quantize(model, (x,), Target.load("tflite"), lengths=({1: (1, 3)},))
    every = to_edge(source)
    for length in (1, 2, 3):
        given = torch.rand(1, length, 3)
        assert torch.equal(every(given), to_edge(source.at(length), whole=True)(given))
    with pytest.raises(UsageError, match=r"have 1 to 3 elements.* \(accepted: to_edge.*one length"):
        export(source)

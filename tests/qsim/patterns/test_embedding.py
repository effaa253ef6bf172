"""nn.Embedding on a target that has the primitive: ids go into the Program as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import qsim

UNITS = qsim.Target.load("integer-transformer")


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.places = nn.Embedding(10, 4, padding_idx=0), nn.Embedding(6, 4)
        self.head = nn.Linear(4, 10)
        self.head.weight = self.words.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ids = x.view(-1, x.shape[-1])
        return self.head(self.words(ids) + self.places(torch.arange(x.shape[1])))


@pytest.fixture(scope="module")
def made() -> tuple[qsim.Lowered, torch.Tensor]:
    ids = torch.randint(0, 10, (3, 5), generator=torch.Generator().manual_seed(0))
    return qsim.lower(qsim.quantize(Words().eval(), (ids,), UNITS)), ids


def test_ids_are_read_in_one_program(made, tmp_path: Path) -> None:
    lowered, ids = made
    assert lowered.host_operators == ()
    assert [step.kind for step in lowered.steps] == ["program", "dequantize"]
    assert lowered.programs[0].calls[0].primitive == "embedding"
    wanted = lowered.trace(ids).outputs[0]
    lowered.save(tmp_path / "it.qsim")
    for found in (
        lowered(ids),
        qsim.load(tmp_path / "it.qsim")(ids),
        torch.cat([lowered(one[None]) for one in ids]),
    ):
        np.testing.assert_array_equal(found, wanted)
    rows = lowered.trace(ids).tensors["embedding"]  # the codes of torch's own quantizer
    program = lowered.programs[0]
    table = program.constants[program.calls[0].inputs[0]]
    np.testing.assert_array_equal(rows, table[ids.numpy()])
    spec = program.tensors["embedding"]
    real = spec.scale * (table.astype(float) - spec.zero_point)
    words = Words().words.weight.detach().numpy()
    assert np.abs(real - words).max() <= spec.scale / 2 * (1 + 1e-5)
    assert lowered.quantized_io()(ids).dtype == torch.int8
    assert lowered(ids[:0]).shape == (0, 5, 10)


@pytest.mark.parametrize("wrong", [10, -1])
def test_an_id_outside_of_the_vocabulary_is_named(made, wrong: int) -> None:
    lowered, ids = made
    ids = ids.clone()
    ids[2, 1] = wrong
    for run in (lowered, lowered.trace):
        with pytest.raises(
            qsim.InputError,
            match=rf"^layer 'words', .*not {wrong} at index \(2, 1\) \(accepted: 0\.\.9\)$",
        ):
            run(ids)


def test_ids_that_the_host_computes_and_a_target_without_it() -> None:
    class Shifted(Words):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward((x + 1) % 10)

    ids = torch.arange(10).reshape(2, 5)
    model = Shifted().eval()
    lowered = qsim.lower(qsim.quantize(model, (ids,), UNITS))
    names = [host.operator for host in lowered.host_operators]
    assert names == ["aten.add.Tensor", "aten.remainder.Scalar"]
    other = (ids + 1) % 10
    plain = qsim.lower(qsim.quantize(Words().eval(), (other,), UNITS))
    np.testing.assert_array_equal(lowered(ids), plain(other))
    other = qsim.lower(qsim.quantize(model, (ids,), qsim.Target.load("tflite")))
    (reason,) = [h.reason for h in other.host_operators if h.operator == "aten.embedding.default"]
    assert reason == "target tflite has no embedding"


def test_positions_that_a_program_makes_are_read_in_it() -> None:
    class Best(Words):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.words(self.head(x).argmax(-1)))

    x = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(1))
    quantized = qsim.quantize(Best().eval(), (x,), UNITS)
    lowered = qsim.lower(quantized)
    assert (len(lowered.programs), lowered.host_operators) == (1, ())
    np.testing.assert_array_equal(lowered(x), lowered.trace(x).outputs[0])

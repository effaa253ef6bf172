"""Programs of portable kernels: what they compute in Python is what the C++ runtime computes."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import qsim.executorch
from qsim.errors import FileFormatError, InputError, UsageError
from qsim.executorch import Pte
from tests.qsim.executorch import pte_nets as nets

CASES = {
    "dense": (nets.Dense, [(3, 4)]),
    "convolutions": (nets.Convolutions, [(2, 3, 9, 7)]),
    "transposed": (nets.Transposed, [(2, 4, 5, 6)]),
    "branch": (nets.Branch, [(3, 4)]),
    "each": (nets.Each, [(3, 4), (4,)]),
}


def draw(shapes: list[tuple[int, ...]], seed: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


@pytest.mark.parametrize("name", CASES)
def test_equals_the_runtime_bit_for_bit(name: str, one_thread: None) -> None:
    make, shapes = CASES[name]
    torch.manual_seed(1)
    data = nets.program(make(), draw(shapes, 0)).buffer
    calls = [draw(shapes, seed) for seed in range(4)]
    pte = Pte(data)
    for call, expected in zip(calls, nets.run_cpp(data, *calls), strict=True):
        assert nets.same(nets.listed(pte(*call)), expected)


def test_several_outputs_and_lists() -> None:
    inputs = (torch.randn(2, 4), torch.tensor([1, 0, 1]))
    data = nets.program(nets.Several(), inputs).buffer
    pte = Pte(data)
    (expected,) = nets.run_cpp(data, inputs)
    assert nets.same(nets.listed(pte(*inputs)), expected)
    assert len(pte.outputs) == 6
    assert [str(spec) for spec in pte.inputs] == ["float32 [2, 4]", "int64 [3]"]
    assert pte.methods == ("forward",)
    assert pte.delegates == ()


def test_a_buffer_keeps_its_state_from_call_to_call() -> None:
    x = torch.tensor([0.5, -1.0])
    data = nets.program(nets.State(), (x,)).buffer
    pte = Pte(data)
    for expected in nets.run_cpp(data, (x,), (x,), (x,)):
        assert nets.same([pte(x)], expected)


def test_shapes_within_their_bound() -> None:
    rows = torch.export.Dim("rows", min=1, max=10)
    data = nets.program(nets.Dense(), (torch.randn(3, 4),), dynamic={"x": {0: rows}}).buffer
    pte = Pte(data)
    assert pte.inputs[0].dynamic
    calls = [(torch.randn(count, 4),) for count in (3, 10, 1, 7)]
    for call, expected in zip(calls, nets.run_cpp(data, *calls), strict=True):
        assert nets.same(nets.listed(pte(*call)), expected)
    with pytest.raises(InputError, match=r"float32 \[11, 4\] \(accepted: float32 \[<=10, <=4\]\)"):
        pte(torch.randn(11, 4))


def test_arrays_are_taken_and_others_refused() -> None:
    pte = Pte(nets.program(nets.Dense(), (torch.randn(3, 4),)).buffer)
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert nets.same(pte(x), pte(torch.from_numpy(x)))
    with pytest.raises(InputError, match="got 2 inputs"):
        pte(x, x)
    with pytest.raises(InputError, match=r"is float64 \[3, 4\]"):
        pte(x.astype(np.float64))
    with pytest.raises(InputError, match=r"is float32 \[4, 3\]"):
        pte(x.T)
    with pytest.raises(InputError, match="is a list"):
        pte([1.0])
    with pytest.raises(UsageError, match=r"no method 'backward' \(accepted: forward\)"):
        pte(x, method="backward")


def test_constants_outside_the_file(tmp_path: Path) -> None:
    x = torch.randn(3, 4)
    made = nets.program(nets.Dense(), (x,), external_constants=True)
    made.save(str(tmp_path / "net.pte"))
    made.write_tensor_data_to_file(str(tmp_path))
    (outside,) = tmp_path.glob("*.ptd")
    with pytest.raises(FileFormatError, match=r"keeps its data outside the file, as 'linear\."):
        qsim.executorch.load(tmp_path / "net.pte")
    pte = qsim.executorch.load(tmp_path / "net.pte", data=[outside])
    torch.manual_seed(0)
    module = nets.Dense()
    whole = Pte(nets.program(module, (x,)).buffer)
    outer = nets.program(module, (x,), external_constants=True)
    (tmp_path / "own.ptd").write_bytes(bytes(next(iter(outer._tensor_data.values()))))
    outer.save(str(tmp_path / "own.pte"))
    split = qsim.executorch.load(tmp_path / "own.pte", data=tmp_path / "own.ptd")
    assert nets.same(split(x), whole(x))
    outside.write_bytes(outside.read_bytes()[:100])
    with pytest.raises(FileFormatError, match="truncated or damaged"):
        qsim.executorch.load(tmp_path / "net.pte", data=[outside])
    assert len(pte(x)) == 2


def test_several_methods_and_constants() -> None:
    x = torch.randn(3, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside ExecuTorch and torch
        from executorch.exir import to_edge

        methods = {"first": nets.Dense().eval(), "second": nets.Dense().eval()}
        exported = {name: torch.export.export(module, (x,)) for name, module in methods.items()}
        edge = to_edge(exported, constant_methods={"scale": 0.5, "places": torch.tensor([1, 2])})
        data = bytes(edge.to_executorch().buffer)
    pte = Pte(data)
    assert sorted(pte.methods) == ["first", "places", "scale", "second"]
    assert pte(method="scale") == 0.5
    assert torch.equal(pte(method="places"), torch.tensor([1, 2]))
    for name in methods:
        (expected,) = nets.run_cpp(data, (x,), method=name)
        assert nets.same(nets.listed(pte(x, method=name)), expected)

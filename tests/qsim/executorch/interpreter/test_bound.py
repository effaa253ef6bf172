"""Once a run has been checked, later runs make the same calls: same results, same errors."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import qsim.executorch
from qsim.errors import InputError, ModelError
from qsim.executorch import Pte
from qsim.executorch.delegates import watched
from qsim.executorch.interpreter.bound import BoundRun
from qsim.executorch.interpreter.direct import AloneRun
from tests.qsim.executorch import pte_nets as nets
from tests.qsim.executorch.edges import batches, lowered_edge, network, same

pytestmark = pytest.mark.usefixtures("one_thread")


def bound(pte: Pte) -> Any:
    return pte._interpreters["forward"]._bound


def delegated(name: str, **options: Any) -> Pte:
    import executorch.kernels.quantized  # noqa: F401 - its operators, before memory is planned

    from qsim.graph.capturing import quiet

    manager, _ = lowered_edge(network(name, "tflite")[0], **options)
    with quiet():
        return Pte(bytes(manager.to_executorch().buffer))


def draw(seed: int) -> torch.Tensor:
    return torch.randn(2, 3, 9, 7, generator=torch.Generator().manual_seed(seed))


def test_later_runs_compute_what_the_runtime_computes() -> None:
    torch.manual_seed(0)
    data = nets.program(nets.Convolutions(), (draw(0),)).buffer
    pte = Pte(data)
    calls = [(draw(seed),) for seed in range(5)]
    for call, expected in zip(calls, nets.run_cpp(data, *calls), strict=True):
        assert nets.same([pte(*call)], expected)
    assert isinstance(bound(pte), BoundRun)


def test_results_are_copies_and_inputs_stay_as_they_are() -> None:
    pte = Pte(nets.program(torch.nn.ReLU(), (torch.zeros(4),)).buffer)
    x = torch.tensor([1.0, -1.0, 2.0, 3.0])
    results = [pte(x * factor) for factor in (1, 2, 3, 4)]
    assert isinstance(bound(pte), BoundRun)
    for factor, result in enumerate(results, 1):
        assert torch.equal(result, torch.relu(x) * factor)


def test_state_goes_on() -> None:
    x = torch.tensor([0.5, -1.0])
    data = nets.program(nets.State(), (x,)).buffer
    pte = Pte(data)
    for expected in nets.run_cpp(data, *[(x,)] * 6):
        assert nets.same([pte(x)], expected)


@pytest.mark.parametrize("make", [nets.Branch, nets.Each])
def test_programs_with_jumps_stay_checked(make: type[torch.nn.Module]) -> None:
    shapes = [(3, 4), (4,)] if make is nets.Each else [(3, 4)]
    inputs = tuple(torch.randn(shape) for shape in shapes)
    pte = Pte(nets.program(make(), inputs).buffer)
    for _ in range(4):
        pte(*inputs)
    assert bound(pte) is None


def test_open_shapes_change_from_run_to_run() -> None:
    rows = torch.export.Dim("rows", min=1, max=10)
    data = nets.program(nets.Dense(), (torch.randn(3, 4),), dynamic={"x": {0: rows}}).buffer
    pte = Pte(data)
    calls = [(torch.randn(count, 4),) for count in (3, 3, 3, 10, 1, 1, 7, 3)]
    for call, expected in zip(calls, nets.run_cpp(data, *calls), strict=True):
        assert nets.same(nets.listed(pte(*call)), expected)
    assert bound(pte) is None
    assert pte._interpreters["forward"]._proved


def test_a_network_that_is_one_delegate_skips_the_memories() -> None:
    source, lowered = network("ConvNet", "tflite")
    pte = delegated("ConvNet", max_batch=5)
    for size in (1, 5, 1, 1, 5, 2):
        inputs = batches(source, size)
        assert torch.equal(pte(*inputs), lowered(*inputs))
    assert isinstance(bound(pte), AloneRun)
    with pytest.raises(InputError, match="NaN"):
        pte(batches(source, 1)[0] * float("nan"))
    with pytest.raises(InputError, match="is float32"):
        pte(batches(source, 6)[0])


def test_who_watches_delegates_sees_later_runs_too() -> None:
    source, lowered = network("ConvNet", "tflite")
    pte = delegated("ConvNet")
    inputs = batches(source, 2)
    for _ in range(4):
        pte(*inputs)
    seen = []

    def watch(made: Any, given: list[torch.Tensor]) -> Any:
        seen.append(given)
        return made(*given)

    with watched(watch):
        assert torch.equal(pte(*inputs), lowered(*inputs))
    assert len(seen) == 1


def test_a_delegate_between_operators_runs_on_the_memories() -> None:
    source, lowered = network("HostInTheMiddle", "tflite")
    pte = delegated("HostInTheMiddle")
    first = batches(source, 2)
    wanted = pte(*first)
    for _ in range(4):
        pte(*batches(source, 2))
    assert same(pte(*first), wanted)
    assert isinstance(bound(pte), BoundRun)
    assert len(lowered.programs) == 2


class Negated(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


def test_gradients_and_lazy_negatives_are_taken() -> None:
    pte = Pte(nets.program(Negated(), (torch.zeros(3),)).buffer)
    lazy = torch.tensor([1 + 2j, 3 - 4j, 5 + 6j]).conj().imag
    for _ in range(4):
        assert torch.equal(pte(lazy), lazy * 2)
        assert not pte(torch.ones(3, requires_grad=True)).requires_grad


def test_an_operator_that_refuses_values_says_so_in_every_run() -> None:
    class Index(torch.nn.Module):
        def forward(self, x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
            return torch.gather(x, 0, index)

    x = torch.randn(3)
    pte = Pte(nets.program(Index(), (x, torch.tensor([0, 1]))).buffer)
    for _ in range(3):
        assert torch.equal(pte(x, torch.tensor([2, 1])), x[[2, 1]])
        with pytest.raises(ModelError, match=r"instruction 0 \(aten::gather.out\)"):
            pte(x, torch.tensor([2, 3]))
    assert isinstance(bound(pte), BoundRun)
    with pytest.raises(ModelError, match=r"instruction 0 \(aten::gather.out\)"):
        pte(x, torch.tensor([2, 3]))


def test_a_registered_model_is_asked_in_every_run() -> None:
    source, lowered = network("ConvNet", "tflite")
    pte = delegated("ConvNet")
    method = pte._methods["forward"]
    assert [delegate.id for delegate in method.delegates] == ["QsimBackend"]
    from dataclasses import replace

    from qsim.executorch.interpreter import Interpreter

    theirs = replace(method, delegates=(replace(method.delegates[0], id="Theirs"),))
    count = []

    def model(blob: bytes, given: Any, specs: Any) -> torch.Tensor:
        count.append(len(given))
        return lowered(*given) + len(count)

    qsim.executorch.register("Theirs", model, outputs=lambda blob: 1)
    try:
        interpreter = Interpreter(theirs)
        inputs = batches(source, 2)
        for run in range(1, 6):
            (out,) = interpreter.run(list(inputs))
            assert torch.equal(out, lowered(*inputs) + run)
    finally:
        qsim.executorch.register("Theirs", None)
    assert isinstance(interpreter._bound, BoundRun)

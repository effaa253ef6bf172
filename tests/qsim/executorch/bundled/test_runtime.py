"""Bundled programs between qsim and ExecuTorch: each reads what the other wrote."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from qsim.executorch import BundledCase, Pte, bundle, read_bundle, record_case
from tests.qsim.executorch import pte_nets as nets
from tests.qsim.executorch.bundle_tools import dense, draw, their_bundle, their_reading, verified

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def program() -> bytes:
    return dense()


def test_the_runtime_verifies_what_our_interpreter_recorded(program: bytes) -> None:
    pte = Pte(program)
    cases = [record_case(pte, *draw(pte, seed)) for seed in range(4)]
    data = bundle(program, cases)
    for index, case in enumerate(cases):
        assert nets.same(verified(data, "forward", index), case.expected)


def test_the_runtime_catches_one_wrong_bit(program: bytes) -> None:
    pte = Pte(program)
    case = record_case(pte, *draw(pte, 5))
    wrong = [value.clone() for value in case.expected or ()]
    wrong[1].view(torch.int32)[7] ^= 1
    data = bundle(program, [case, BundledCase("forward", case.inputs, tuple(wrong))])
    verified(data, "forward", 0)
    with pytest.raises(RuntimeError, match="verification failed"):
        verified(data, "forward", 1)
    right, other = read_bundle(data).check()
    assert (right.ok, other.ok, other.index) == (True, False, 1)
    (found,) = other.differences
    assert (found.output, found.index, found.count, found.total) == (1, (7,), 1, 12)
    assert (found.expected, found.got) == (wrong[1][7].item(), case.inputs[0].reshape(-1)[7].item())


class ChannelsLast(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x)


def test_the_order_in_memory_is_the_programs() -> None:
    """The runtime takes bytes as they are, and ends the process if an output's order differs."""
    x = torch.randn(2, 3, 4, 5)
    example = x.to(memory_format=torch.channels_last)
    program = bytes(nets.program(ChannelsLast(), (example,)).buffer)
    case = record_case(Pte(program), x)
    data = bundle(program, [BundledCase("forward", (x,), (torch.relu(x),))])
    assert torch.equal(case.expected[0], torch.relu(x))  # type: ignore[index]
    assert torch.equal(verified(data, "forward", 0)[0], torch.relu(x))
    assert torch.equal(read_bundle(data).cases[0].inputs[0], x)


def test_shapes_within_their_bound() -> None:
    rows = torch.export.Dim("rows", min=1, max=10)
    made = nets.program(nets.Dense(), (torch.randn(3, 4),), dynamic={"x": {0: rows}})
    pte = Pte(bytes(made.buffer))
    cases = [record_case(pte, torch.randn(count, 4)) for count in (1, 10, 4)]
    data = bundle(bytes(made.buffer), cases)
    for index, case in enumerate(cases):
        assert nets.same(verified(data, "forward", index), case.expected)
    assert all(result.ok for result in read_bundle(data).check())


class Mixed(torch.nn.Module):
    """Inputs of several types, a number among them."""

    def forward(
        self, x: torch.Tensor, index: torch.Tensor, mask: torch.Tensor, n: int
    ) -> tuple[torch.Tensor, ...]:
        return x[index] * n, ~mask, index + n, x.to(torch.int8)


MIXED: tuple[Any, ...] = (
    torch.tensor([[1.5, -2.0], [3.0, 0.5]]),
    torch.tensor([1, 0, 1]),
    torch.tensor([True, False]),
    3,
)


@pytest.fixture(scope="module")
def made() -> Any:
    return nets.program(Mixed(), MIXED)


def test_every_kind_of_value(made: Any) -> None:
    data = bundle(bytes(made.buffer), [record_case(Pte(bytes(made.buffer)), *MIXED)])
    read = read_bundle(data).cases[0]
    assert nets.same(verified(data, "forward", 0), read.expected)
    assert nets.same(read.inputs, MIXED)
    ours, theirs = their_reading(data), their_reading(_theirs(made))
    assert ours == theirs
    assert ours.program == made.buffer


def _theirs(made: Any) -> bytes:
    return their_bundle(made, "forward", [(MIXED, Mixed()(*MIXED))])


def test_we_read_what_executorch_wrote(made: Any) -> None:
    read = read_bundle(_theirs(made))
    assert read.program == made.buffer
    (case,) = read.cases
    assert case.method == "forward"
    assert nets.same(case.inputs, MIXED)
    assert nets.same(case.expected, Mixed()(*MIXED))
    assert [result.ok for result in read.check()] == [True]


def test_a_buffer_keeps_its_state_from_case_to_case() -> None:
    program = bytes(nets.program(nets.State(), (torch.zeros(2),)).buffer)
    x, recorder = torch.tensor([0.5, -1.0]), Pte(program)
    cases = [record_case(recorder, x) for _ in range(3)]
    assert not nets.same(cases[0].expected or (), cases[1].expected or ())
    bundled = read_bundle(bundle(program, cases))
    assert [result.ok for result in bundled.check()] == [True, True, True]
    assert [result.ok for result in bundled.check()] == [True, True, True]
    pte = bundled.load()
    pte(x)
    assert [result.ok for result in bundled.check(pte)] == [False, False, False]

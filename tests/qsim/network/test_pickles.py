"""Pickles and copies: bytes of our own files, and the name of one function that reads them."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from typing import Any

import numpy as np
import pytest

from qsim.errors import QsimError
from qsim.memory import Space
from qsim.network import Lowered, program_from_bytes, program_to_bytes, to_bytes
from qsim.program import Program
from tests.qsim.network import nets as net
from tests.qsim.network.pickled import loaded, named

Array = np.ndarray[Any, Any]


def programs() -> list[Program]:
    return [net.program(), net.program().placed_in(Space(4096, 16, 2))]


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("host", [False, True])
def test_a_network(protocol: int, host: bool) -> None:
    network = net.lowered(host=host)
    data = pickle.dumps(network, protocol)
    assert named(data) == ["qsim.network.reading from_bytes"]
    for other in (loaded(data), copy.deepcopy(network), copy.copy(network)):
        assert isinstance(other, Lowered)
        assert other is not network
        assert to_bytes(other) == to_bytes(network)
        np.testing.assert_array_equal(other(net.reals()), network(net.reals()))


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_a_program_with_its_memory(protocol: int) -> None:
    for program in programs():
        data = pickle.dumps(program, protocol)
        assert named(data) == ["qsim.network.programs program_from_bytes"]
        for other in (loaded(data), copy.deepcopy(program)):
            assert isinstance(other, Program)
            assert other.memory == program.memory
            assert program_to_bytes(other) == program_to_bytes(program)
            np.testing.assert_array_equal(other.run(net.codes())[0], program.run(net.codes())[0])


def test_what_has_run_can_be_pickled_too() -> None:
    network = net.lowered()
    expected = network(net.reals())
    network.trace(net.reals())
    np.testing.assert_array_equal(loaded(pickle.dumps(network))(net.reals()), expected)


def test_containers_of_networks() -> None:
    network = net.lowered()
    held = copy.deepcopy({"a": network, "b": [network, network.programs[0]]})
    assert held["a"] is held["b"][0]
    np.testing.assert_array_equal(held["a"](net.reals()), network(net.reals()))


def test_damaged_bytes_are_refused() -> None:
    data = program_to_bytes(net.program())
    for wrong in (b"", data[:-1], data[:-1] + b"\0", to_bytes(net.lowered())):
        with pytest.raises(QsimError):
            program_from_bytes(wrong)


def work(job: tuple[Lowered, Array]) -> Array:
    network, x = job
    y: Array = network(x)
    return y


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_networks_go_to_processes(method: str) -> None:
    network = net.lowered()
    inputs = [net.reals(3, seed) for seed in range(3)]
    with multiprocessing.get_context(method).Pool(1) as pool:
        made = pool.map_async(work, [(network, x) for x in inputs]).get(120)
    for x, y in zip(inputs, made, strict=True):
        np.testing.assert_array_equal(y, network(x))

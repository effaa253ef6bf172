"""Networks in forked children and in several threads: the same integers, and nobody waits."""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from qsim.errors import UsageError
from qsim.network import Lowered
from tests import fresh
from tests.qsim.network import nets as net
from tests.qsim.network.pickled import computed

Array = np.ndarray[Any, Any]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have networks of any size work on two threads."""
    monkeypatch.setattr("qsim.stream.stream._PARALLEL", 0)
    for module in ("gemm", "depthwise", "kernels"):
        monkeypatch.setattr(f"hw_models.products.{module}._PARALLEL_PRODUCTS", 0)
    before = numba.get_num_threads()
    numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
    yield
    numba.set_num_threads(before)


def every_way(network: Lowered) -> list[Array]:
    """Run a network as a stream, in batches and call by call."""
    trace = network.trace(net.reals())
    return [network(net.reals()), network(net.reals(1)), *trace.outputs]


def in_child(method: str, work: Callable[[], list[Array]]) -> list[Array]:
    """Return what a child makes; it ends whatever comes."""
    context = multiprocessing.get_context(method)
    made = context.Queue()
    process = context.Process(target=lambda: made.put(work()), daemon=True)
    process.start()
    try:
        found: list[Array] = made.get(timeout=60)
    except queue.Empty:
        pytest.fail(f"no answer: exit code {process.exitcode}")
    finally:
        process.kill()
        process.join()
    return found


@pytest.mark.parametrize("host", [False, True])
def test_a_forked_child_makes_the_same(host: bool) -> None:
    network = net.lowered(host=host)
    expected = every_way(network)
    for _ in range(2):
        for y, wanted in zip(in_child("fork", lambda: every_way(network)), expected, strict=True):
            np.testing.assert_array_equal(y, wanted)


def test_a_child_of_a_child() -> None:
    network = net.lowered()
    expected = network(net.reals())

    def grandchild() -> list[Array]:
        return [network(net.reals()), *in_child_of_child(network)]

    def in_child_of_child(network: Lowered) -> list[Array]:
        pid = os.fork()
        if not pid:
            os._exit(0 if (network(net.reals()) == expected).all() else 1)
        return [np.array(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))]

    y, status = in_child("fork", grandchild)
    np.testing.assert_array_equal(y, expected)
    assert status == 0


def test_a_child_that_is_forked_amid_a_compilation() -> None:
    """Another thread held the lock of the streams: the child compiles them anew."""
    network = net.lowered()
    expected = network(net.reals())
    streams = network.programs[0]._streams
    with streams._lock:
        (y,) = in_child("fork", lambda: [network(net.reals())])
    np.testing.assert_array_equal(y, expected)


class Computed(Dataset[Array]):
    """A data set whose samples a network makes."""

    def __init__(self, network: Lowered) -> None:
        self.network = network

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Array:
        y: Array = self.network(net.reals(1, index))[0]
        return y


@pytest.mark.parametrize("host", [False, True])
def test_workers_of_a_data_loader(host: bool) -> None:
    data = Computed(net.lowered(host=host))
    expected = np.stack([data[index] for index in range(len(data))])
    loader = DataLoader(data, 2, num_workers=2, timeout=60, multiprocessing_context="fork")
    np.testing.assert_array_equal(torch.cat(list(loader)).numpy(), expected)


def test_threads_that_compute_at_once() -> None:
    network = net.lowered(host=True)
    expected = every_way(network)
    made: list[list[Array]] = []
    go = threading.Barrier(4)

    def work() -> None:
        go.wait()
        made.extend(every_way(network) for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 40
    for each in made:
        for y, wanted in zip(each, expected, strict=True):
            np.testing.assert_array_equal(y, wanted)


_HOST = """
import os, signal, sys
import torch
import qsim

torch.set_num_threads(2)
big = torch.randn(2000, 500)
big @ big.T, big.exp()  # torch's threads are there now
child = os.fork()
if child:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
else:
    signal.alarm(30)  # it would wait for ever
    assert torch.get_num_threads() == 1
    big @ big.T, big.exp()
    from qsim.torch_threads import require_one_when_forked
    require_one_when_forked()
    torch.set_num_threads(2)
    try:
        require_one_when_forked()
    except qsim.UsageError as error:
        os._exit("torch.set_num_threads(1)" not in str(error))
    os._exit(2)
"""


def test_torch_has_one_thread_in_a_forked_child() -> None:
    assert fresh.run(_HOST).stdout == "0\n"


def several_torch_threads(network: Lowered) -> list[Array]:
    torch.set_num_threads(2)
    try:
        network(net.reals())
    except UsageError:
        return [np.array(True)]
    return [np.array(False)]


def test_host_operators_refuse_what_would_wait_for_ever() -> None:
    network = net.lowered(host=True)
    (refused,) = in_child("fork", lambda: several_torch_threads(network))
    assert refused


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_joblib(backend: str) -> None:
    joblib = pytest.importorskip("joblib")
    network = net.lowered()
    inputs = [net.reals(2, seed) for seed in range(4)]
    jobs = [joblib.delayed(computed)(network, x) for x in inputs]
    made = joblib.Parallel(n_jobs=2, backend=backend, timeout=120)(jobs)
    for x, y in zip(inputs, made, strict=True):
        np.testing.assert_array_equal(y, network(x))

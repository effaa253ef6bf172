"""Every peer runs on one thread, torch's engine is put back, and ``peer`` marks are kept."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest
import torch

from tests.peers.evidence import marks
from tests.peers.evidence.observed import watching


@pytest.fixture(autouse=True)
def every_peer(one_thread: None) -> None:
    pass


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Set the engine that the test is parametrized with (indirect), and restore the old one."""
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = request.param
    yield request.param
    torch.backends.quantized.engine = before


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    if pyfuncitem.get_closest_marker("peer") is None:
        return (yield)
    with watching() as seen:
        result = yield
    marks.check(pyfuncitem, seen)
    return result


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse marks that speak of no test, where whole modules are collected."""
    if not any("::" in argument for argument in config.args):
        idle = list(marks.idle(items))
        assert not idle, f"these marks speak of no test: {'; '.join(idle)}"

"""Every peer runs on one thread, and torch's quantized engine is put back after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


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

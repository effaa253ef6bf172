"""Fixtures that several folders of tests use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest_plugins = ["tests.memory", "tests.seconds"]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread in torch: threads that wait for a busy core cost seconds here, and win nothing."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)

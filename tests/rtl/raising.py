"""A cocotb bench with a mistake in its third cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cocotb

from rtl_tb.tb import session

if TYPE_CHECKING:
    from collections.abc import Generator


def _cycles() -> Generator[None, None, None]:
    yield
    yield
    raise LookupError("the mistake of the third cycle")


@cocotb.test()
async def mistaken(top: Any) -> None:
    """Fail."""
    await session.ports(top).play(_cycles())

"""What the emitters of LLVM IR in a command stream share: access to the arena's addresses.

Nothing in an arena is aligned for vectors: every access is by address, an int64, of any alignment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir

if TYPE_CHECKING:
    from collections.abc import Callable

_I64 = ir.IntType(64)


def word(value: int) -> Any:
    """Return a constant int64."""
    return ir.Constant(_I64, value)


def _pointer(b: Any, address: Any, kind: Any) -> Any:
    """Return a pointer to a value at an address."""
    return b.inttoptr(address, kind.as_pointer())


def load(b: Any, address: Any, kind: Any, align: int = 1) -> Any:
    """Load a value of a type from an address."""
    value = b.load(_pointer(b, address, kind))
    value.align = align
    return value


def store(b: Any, value: Any, address: Any) -> None:
    """Store a value at an address."""
    b.store(value, _pointer(b, address, value.type)).align = 1


def choose(b: Any, way: Any, count: int, body: Callable[[int], None]) -> None:
    """Emit a body for each way of 0..count-1, and the choice of one by an int64 in that range."""
    done = b.append_basic_block("chosen")
    switch = b.switch(way, done)
    for number in range(count):
        block = b.append_basic_block(f"way{number}")
        switch.add_case(number, block)
        with b.goto_block(block):
            body(number)
            b.branch(done)
    b.position_at_end(done)

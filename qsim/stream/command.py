"""Commands: what the compiler puts together before addresses are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the jitted loop, or one call that the interpreter's kernel makes.

    Attributes:
        calls: the Program's calls that it computes, by index, in order.
        reads: tensors, X first, then X2, X3 and X4.
        write: the tensor that it makes (Y).
        op: the operation's number; None where the interpreter's kernel makes the call.
        words: the descriptor's other words.
        work: bytes of workspace that each thread needs.
        products: multiply-accumulates, for a decision about threads.
        reason: why the interpreter makes the call.
    """

    calls: tuple[int, ...]
    reads: tuple[str, ...]
    write: str
    op: int | None = None
    words: Mapping[int, int] = field(default_factory=dict)
    work: int = 0
    products: int = 0
    reason: str = ""


class NotInStream(Exception):  # noqa: N818 - not an error: it says why a call is made elsewhere
    """A call that the jitted loop does not take, with the reason."""

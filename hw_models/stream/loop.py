"""The loop that executes a command stream: a table of descriptors over one arena.

Every thread runs the whole table and does its share of each command; a barrier separates commands.
The parts of a command do not depend on who computes them or on how many threads there are, so the
result does not either. Correlations are handed out part by part, so that a thread whose core is
slower, or taken away for a while, holds up the others by one part at most.
"""

from __future__ import annotations

from hw_models.compiled import kernel, part
from hw_models.stream.copies import copy, gather
from hw_models.stream.depthwise import depthwise
from hw_models.stream.fields import (
    AVG_POOL,
    BINARY,
    COPY,
    DEPTHWISE,
    GATHER,
    LINE,
    MATMUL,
    MAX_POOL,
    OP,
    PRODUCTS,
    SUM,
    UNARY,
    WIDE,
)
from hw_models.stream.matmul import matmul
from hw_models.stream.memory import wait
from hw_models.stream.moves import (
    avg_pool,
    binary,
    line,
    max_pool,
    sum_line,
    sum_words,
    unary,
    wide,
)
from hw_models.stream.products import products


@part
def _move(d, arena, constants, arguments, work, thread, threads):  # type: ignore[no-untyped-def]  # njit infers the types
    """Execute a command without products."""
    op = d[OP]
    if op == COPY:
        copy(d, arena, constants, arguments, thread, threads)
    elif op == GATHER:
        gather(d, arena, constants, thread, threads)
    elif op == UNARY:
        unary(d, arena, constants, thread, threads)
    elif op == WIDE:
        wide(d, arena, constants, thread, threads)
    elif op == MATMUL:
        matmul(d, arena, constants, work, thread, threads)
    elif op == SUM:
        sum_words(d, arena, constants, thread, threads)
    elif op == BINARY:
        binary(d, arena, constants, thread, threads)
    elif op == LINE:
        line(d, arena, constants, thread, threads)
    elif op == MAX_POOL:
        max_pool(d, arena, constants, work, thread, threads)
    elif op == AVG_POOL:
        avg_pool(d, arena, constants, work, thread, threads)
    else:
        # Every thread meets it, so that none waits for the others at the barrier.
        raise ValueError("no command has this number")


@kernel(nogil=True)
def execute(table, first, last, arena, constants, arguments, work, counters, thread, threads):  # type: ignore[no-untyped-def]  # njit infers the types
    """Execute the commands first..last - 1.

    Args:
        table: int64 [commands, WORDS]; see ``fields``.
        first: command to begin with.
        last: command to stop before.
        arena: address of the tensors.
        constants: address of weights and tables.
        arguments: int64, addresses of the Program's inputs and outputs.
        work: address of this thread's workspace.
        counters: address of int64 zeros that the threads share: one for the barrier, then
            one for each command of the range.
        thread: number of this thread.
        threads: how many execute this range.
    """
    for index in range(first, last):
        d = table[index]
        parts = counters + (1 + index - first) * 8
        if d[OP] == PRODUCTS:
            products(d, arena, constants, work, parts, threads)
        elif d[OP] == DEPTHWISE:
            depthwise(d, arena, constants, work, parts)
        else:
            _move(d, arena, constants, arguments, work, thread, threads)
        if threads > 1:
            wait(counters, (index - first + 1) * threads)


@kernel
def try_line(a, b, y, size, table, low, high, signed):  # type: ignore[no-untyped-def]
    """Call ``sum_line``."""
    sum_line(a, b, y, size, table, low, high, signed)

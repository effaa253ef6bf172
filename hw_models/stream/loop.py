"""The loop that executes a command stream: a table of descriptors over one arena.

Every thread runs the whole table and does its share of each command; a barrier separates commands.
The parts of a command do not depend on who computes them or on how many threads there are, so the
result does not either. Correlations are handed out part by part, so that a thread whose core is
slower, or taken away for a while, holds up the others by one part at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hw_models.compiled import kernel
from hw_models.stream.caches import cache_write
from hw_models.stream.copies import copy, gather
from hw_models.stream.depthwise import depthwise
from hw_models.stream.dynamic import choose, dequantize, dequantize_sums, min_max, quantize
from hw_models.stream.elements import load, store
from hw_models.stream.ends import ENDS
from hw_models.stream.entries import COMMAND, END, MOVE, call_command, entry
from hw_models.stream.entries import FINISH as FINISH_TYPES
from hw_models.stream.fields import (
    CALL,
    COMBINE,
    DEPTHWISE,
    FINISH,
    FLOAT_PAIR,
    FRAME_ARENA,
    FRAME_ARGUMENTS,
    FRAME_CONSTANTS,
    FRAME_COUNTERS,
    FRAME_FIRST,
    FRAME_LAST,
    FRAME_TABLE,
    FRAME_THREAD,
    FRAME_THREADS,
    FRAME_WORK,
    LOAD,
    MATMUL,
    MODE,
    NORM,
    OP,
    PRODUCTS,
    REDUCE,
    REFUSED,
    RESCALE,
    ROTARY,
    STORE,
    WAY,
    WORDS,
)
from hw_models.stream.finish import finish
from hw_models.stream.float32.elements import float_function, float_pair
from hw_models.stream.float32.matmul import float_matmul
from hw_models.stream.float32.rows import float_layer_norm, float_softmax
from hw_models.stream.grouped import grouped
from hw_models.stream.matmul import matmul
from hw_models.stream.memory import int64_at, wait
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
from hw_models.stream.rescales import combine, reduce, rescale
from hw_models.stream.rows import (
    argmax,
    softmax_fixed,
    softmax_float,
    softmax_ibert,
    softmax_table,
)
from hw_models.stream.units.embedding import embedding
from hw_models.stream.units.norms import norm
from hw_models.stream.units.rotary import rotary
from hw_models.stream.weighted import resize

if TYPE_CHECKING:
    from hw_models.formats import IntArray

# By their numbers: see ``fields``.
_COMMANDS: Final = (
    copy, products, depthwise, unary, binary, line, max_pool, avg_pool, gather, wide, sum_words,
    matmul, rescale, combine, reduce, softmax_fixed, softmax_float, softmax_table, argmax, resize,
    min_max, choose, quantize, dequantize, dequantize_sums, grouped, cache_write,
    softmax_ibert, embedding, norm, rotary, float_pair, float_function, float_softmax,
    float_layer_norm, float_matmul,
)  # fmt: skip


def ready(table: IntArray) -> IntArray:
    """Return a copy of a table that ``execute`` takes: with the addresses of its kernels.

    What it needs is compiled, if it was not yet, and no more.

    Args:
        table: int64 [commands, WORDS].

    Raises:
        ValueError: no command has a row's number.
    """
    made = table.copy()
    for row in made:
        if not 0 <= row[OP] < len(_COMMANDS):
            raise ValueError("no command has this number")
        row[CALL] = entry(_COMMANDS[row[OP]], COMMAND)
        if row[OP] in (PRODUCTS, DEPTHWISE, MATMUL):
            row[FINISH] = entry(finish, FINISH_TYPES)
        elif row[OP] in (RESCALE, COMBINE, REDUCE, NORM, ROTARY):
            row[FINISH] = entry(ENDS[row[MODE]], END)
        if RESCALE <= row[OP] < FLOAT_PAIR or row[WAY]:
            row[LOAD], row[STORE] = entry(load, MOVE), entry(store, MOVE)
    return made


@kernel(nogil=True)
def execute(frame):  # type: ignore[no-untyped-def]  # njit infers the types
    """Execute the commands of a table that a frame names.

    Args:
        frame: int64, its words named in ``fields``; one array, since each argument takes Numba as
            long as a small command. Its table is what ``ready`` returned. The counters are int64
            that the threads share, zeros where there are several: one for the barrier, then one
            for each command of the range.

    Returns:
        The command that refused a value, or -1; nothing behind it was executed.
    """
    first, last = frame[FRAME_FIRST], frame[FRAME_LAST]
    counters, threads = frame[FRAME_COUNTERS], frame[FRAME_THREADS]
    for index in range(first, last):
        d = int64_at(frame[FRAME_TABLE] + index * WORDS * 8, WORDS)
        parts = counters + (1 + index - first) * 8
        if threads == 1:
            int64_at(parts, 1)[0] = 0
        call_command(
            d[CALL], d, frame[FRAME_ARENA], frame[FRAME_CONSTANTS], frame[FRAME_ARGUMENTS:],
            frame[FRAME_WORK], parts, frame[FRAME_THREAD], threads,
        )  # fmt: skip
        if threads > 1:
            wait(counters, (index - first + 1) * threads)
        if int64_at(parts, 1)[0] == REFUSED:
            return index
    return np.int64(-1)


@kernel
def try_line(a, b, y, size, table, low, high, signed):  # type: ignore[no-untyped-def]
    """Call ``sum_line``."""
    sum_line(a, b, y, size, table, low, high, signed)

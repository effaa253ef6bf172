"""Jobs of what attention reads and writes by position, for RTL of somebody else: packets.

Of ``embedding`` a packet of indices goes in for each sample, and its rows come out, code by code;
the table is the design's own. Of ``cache_write`` the codes of the cache go in first, ``load`` 1,
then those of the rows with their positions, row by row; the whole cache comes out, in C order.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.cosim.jobs.beats import Field
from qsim.cosim.jobs.cache_write import positions
from qsim.cosim.jobs.generic.frames import frames
from qsim.cosim.jobs.generic.numbers import Numbers, code_field

if TYPE_CHECKING:
    from qsim.cosim.jobs.unit import Job
    from qsim.golden import Case
    from qsim.target import Target

_POSITION: Final = 32  # bits of an index or a position


def embedding_job(case: Case, target: Target) -> Job:
    """Return every sample's indices as a packet."""
    del target
    indices, y = case.operands["indices"], case.expected
    inputs = Numbers()
    inputs.add(Field("index", _POSITION, signed=True), indices.reshape(-1).astype(np.int64))
    count = indices.shape[0] if indices.ndim > 1 else 1
    return frames(case, inputs, indices.size // count, y.size // count)


def cache_write_job(case: Case, target: Target) -> Job:
    """Return the whole call as one packet."""
    attributes: Any = case.attributes
    cache, rows = case.operands["cache"], case.operands["rows"]
    by_row = np.moveaxis(rows, attributes["axis"], 0)
    each = math.prod(by_row.shape[1:])
    codes = np.concatenate([cache.reshape(-1), by_row.reshape(-1)]).astype(np.int64)
    at = np.concatenate([np.zeros(cache.size, np.int64), np.repeat(positions(case), each)])
    inputs = Numbers()
    inputs.add(code_field("x", target, case.codes["cache"]), codes)
    inputs.add(Field("load", 1, signed=False), (np.arange(codes.size) < cache.size).astype(int))
    inputs.add(Field("position", _POSITION, signed=True), at)
    return frames(case, inputs, codes.size, cache.size)

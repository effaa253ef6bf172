"""Greedy generation: the most likely token, again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.errors import InputError, ModelError
from qsim.program import is_int, to_numpy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.network.lowered import Lowered
    from qsim.network.session import Session
    from qsim.network.steps import ValueSpec
    from qsim.program import Array

_ACCEPTED = "(tokens [1, 1]) or (tokens [1, 1], position [1]), integers, for one token a step"
_FREE = "(tokens [1, 1..N]) or (tokens [1, 1..N], positions [1..N]), integers"


def generate(session: Session, tokens: Sequence[int], count: int) -> list[int]:
    """Return the tokens that follow, each the most likely one; of equal ones, the first.

    The network must take one token a step, as integers of shape [1, 1] or [1], and may take its
    position, which is the number of steps since the session began; or sequences of any length up to
    a bound: then as many of the tokens as it takes are one step. It must return scores whose last
    dimension counts the tokens: codes or float32. The session goes on from where it is; the last
    token that is returned has not been fed yet.

    Args:
        session: of such a network.
        tokens: those to begin with, one or more.
        count: how many follow, 0 or more.

    Raises:
        InputError: no tokens, no integers, or what a step refuses: a cache that is full.
        ModelError: the network takes or returns something else.
    """
    if not is_int(count) or count < 0:
        raise InputError.of("count must be a number of tokens", count, "0 or more")
    feed = [int(token) for token in tokens if is_int(token)]
    if not feed or len(feed) != len(tokens):
        raise InputError.of("tokens must be integers", list(tokens)[:8], "one token or more")
    most = _most(session.network)
    made: list[int] = []
    for at in range(0, len(feed), most):
        scores = _scores(session, feed[at : at + most])
    while len(made) < count:
        made.append(int(np.argmax(scores)))  # of equal scores the first
        if len(made) < count:
            scores = _scores(session, made[-1:])
    return made


def _most(network: Lowered) -> int:
    """Return how many tokens a step takes at most.

    Raises:
        ModelError: a step takes something else.
    """
    specs, lengths = network.inputs, network.lengths
    singles = lengths is None or (lengths.least == 1 and any(at == 0 for at, _ in lengths.axes))
    if not singles or not 1 <= len(specs) <= 2 or not all(map(_is_row, specs)):
        shapes = [list(s.shape) if lengths is None else lengths.shown(s) for s in specs]
        pairs = zip(specs, shapes, strict=True)
        found = ", ".join(f"{spec.name} {spec.dtype} {shape}" for spec, shape in pairs)
        accepted = _ACCEPTED if lengths is None else _FREE
        raise ModelError.of("the network must take one token a step", found, accepted)
    return 1 if lengths is None else lengths.most


def _is_row(spec: ValueSpec) -> bool:
    """Return whether a value is one integer, or as many as a sequence is long."""
    free = {axis for axis, _, _ in spec.free}
    fixed = [size for axis, size in enumerate(spec.shape) if axis not in free]
    return all(size in (1, -1) for size in fixed) and len(free) <= 1 and "int" in spec.dtype


def _scores(session: Session, tokens: list[int]) -> Array:
    """Run one step; return the scores of what follows its last token."""
    specs = session.network.inputs
    positions = range(session.steps, session.steps + len(tokens))
    given = []
    for spec, numbers in zip(specs, (tokens, positions), strict=False):
        shape = [1] * len(spec.shape)
        for axis, _, _ in spec.free:
            shape[axis] = len(numbers)
        # A position alone is that of the first token.
        given.append(np.array(numbers[: max(shape, default=1)], spec.dtype).reshape(shape))
    result: Any = session(*given)
    while isinstance(result, (tuple, list, dict)) and result:
        result = next(iter(result.values())) if isinstance(result, dict) else result[0]
    scores = to_numpy(result, session.network.outputs[0].name)
    rows = scores.size // max(scores.shape[-1], 1) if scores.ndim else 0
    if rows not in (1, len(tokens)):
        raise ModelError.of(
            "the network must return scores of one token", list(scores.shape), "[1, 1, tokens]"
        )
    last: Array = scores.reshape(rows, -1)[-1]
    return last

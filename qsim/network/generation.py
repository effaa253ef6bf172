"""Greedy generation: the most likely token, again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.errors import InputError, ModelError
from qsim.program import is_int, to_numpy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.network.session import Session
    from qsim.network.steps import ValueSpec
    from qsim.program import Array

_ACCEPTED = "(tokens [1, 1]) or (tokens [1, 1], position [1]), integers, for one token a step"


def generate(session: Session, tokens: Sequence[int], count: int) -> list[int]:
    """Return the tokens that follow, each the most likely one; of equal ones, the first.

    The network must take one token a step, as integers of shape [1, 1] or [1], and may take its
    position, which is the number of steps since the session began. It must return scores whose
    last dimension counts the tokens: codes or float32. The session goes on from where it is; the
    last token that is returned has not been fed yet.

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
    specs = session.network.inputs
    if not 1 <= len(specs) <= 2 or not all(map(_is_one, specs)):
        found = ", ".join(f"{spec.name} {spec.dtype} {list(spec.shape)}" for spec in specs)
        raise ModelError.of("the network must take one token a step", found, _ACCEPTED)
    made: list[int] = []
    for token in feed:
        scores = _scores(session, token)
    while len(made) < count:
        made.append(int(np.argmax(scores)))  # of equal scores the first
        if len(made) < count:
            scores = _scores(session, made[-1])
    return made


def _is_one(spec: ValueSpec) -> bool:
    sizes = [size for size in spec.shape if size not in (1, -1)]
    return not sizes and "int" in spec.dtype


def _scores(session: Session, token: int) -> Array:
    specs = session.network.inputs
    given = [
        np.full([1] * len(spec.shape), number, spec.dtype)
        for spec, number in zip(specs, (token, session.steps), strict=False)
    ]
    result: Any = session(*given)
    while isinstance(result, (tuple, list, dict)) and result:
        result = next(iter(result.values())) if isinstance(result, dict) else result[0]
    scores = to_numpy(result, session.network.outputs[0].name)
    if scores.ndim == 0 or scores.size != scores.shape[-1]:
        raise ModelError.of(
            "the network must return scores of one token", list(scores.shape), "[1, 1, tokens]"
        )
    return scores.reshape(-1)

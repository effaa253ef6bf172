"""Finds what two programs have in common: which record of one is which of the other."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from qsim.executorch.comparing.record import Record

    Signature = Callable[[Record], Hashable]
    Pair = tuple[Record, Record]


def align(left: Sequence[Record], right: Sequence[Record]) -> list[Pair]:
    """Return pairs of records, in the order of both sides.

    First what has one name in both (inside delegates of one network), then, between these, what
    has one operator, shape and type, then one operator and shape, then codes and real values of
    one shape. What is left has no partner.
    """
    return _align(list(left), list(right), _SIGNATURES)


def _align(left: list[Record], right: list[Record], signatures: Sequence[Signature]) -> list[Pair]:
    if not left or not right or not signatures:
        return []
    first, *others = signatures
    # Where a signature says nothing about a record, the record is like no other.
    keys = [[first(record) or (side, at) for at, record in enumerate(records)]
            for side, records in enumerate((left, right))]  # fmt: skip
    pairs: list[Pair] = []
    matcher: SequenceMatcher[Hashable] = SequenceMatcher(None, keys[0], keys[1], autojunk=False)
    for what, a, b, c, d in matcher.get_opcodes():
        if what == "equal":
            pairs += zip(left[a:b], right[c:d], strict=True)
        else:
            pairs += _align(left[a:b], right[c:d], others)
    return pairs


def _by_name(record: Record) -> Hashable:
    return (record.key, record.kind) if record.key else None


def _by_type(record: Record) -> Hashable:
    # The results of an LSTM cell have one shape: its states differ in their width.
    return (record.label, record.kind, record.array.shape, record.array.dtype)


def _by_operator(record: Record) -> Hashable:
    return (record.label, record.kind, record.array.shape)


def _by_shape(record: Record) -> Hashable:
    # Of other operators a shape says too little: a wrong partner would differ for no reason.
    return (record.kind, record.array.shape) if record.kind in ("codes", "real") else None


_SIGNATURES: Final[tuple[Signature, ...]] = (_by_name, _by_type, _by_operator, _by_shape)

"""What several products quantize at run time is quantized once.

Query, key and value of an attention read one tensor. Each is lowered alone, with the range, the
parameters and the codes of its operand; equal calls on equal tensors become the first of them.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.program import Call, TensorSpec

_SHARED: Final = frozenset({"min_max", "choose_scale", "choose_zero_point", "quantize"})


def share_operands(calls: Sequence[Call], tensors: dict[str, TensorSpec]) -> list[Call]:
    """Return calls without those that make again what one before them made.

    Args:
        calls: in order.
        tensors: what they read and make; those that nobody makes any more are taken out.
    """
    known: dict[tuple[str, tuple[str, ...], str], str] = {}
    renamed: dict[str, str] = {}
    result = []
    for call in calls:
        inputs = tuple(renamed.get(name, name) for name in call.inputs)
        one = dataclasses.replace(call, inputs=inputs) if inputs != call.inputs else call
        if call.primitive in _SHARED:
            key = (call.primitive, inputs, json.dumps(dict(call.attributes), sort_keys=True))
            first = known.setdefault(key, call.output)
            if first != call.output:
                renamed[call.output] = first
                tensors.pop(call.output)
                continue
        result.append(one)
    return result

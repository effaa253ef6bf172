"""A rotary position embedding: several operators that together turn pairs of channels.

No operator alone is this pattern: ``qsim.lowering.turns`` finds them by what they compute. The
tables are codes of ``2**-fraction``, of up to 16 bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.lowering import NotLowerableError, turn_of
from qsim.program import encode_scheme, format_to_json
from qsim.registry import Pattern, Reason, needs
from qsim.target import derive

if TYPE_CHECKING:
    from hw_models import FixedFormat
    from qsim.lowering import Builder

_FRACTION: Final = 14
_LARGEST: Final = (1 << 15) - 1


def _lower(builder: Builder) -> None:
    match, target = builder.match, builder.target
    x, y = match.operands[0].params, match.result.params
    found = turn_of(builder.graph, match.members, match.operands[0].shape)
    if found is None:
        raise NotLowerableError("its constants turn no pairs of channels")
    fraction, tables = _codes(x.format, x.zero_point, (found.cos.numpy(), found.sin.numpy()))
    names = [
        builder.constant(role, table.astype(np.int16))
        for role, table in zip(("cos", "sin"), tables, strict=True)
    ]
    rescale = derive.requantizer(target, x.scale, 2.0**-fraction, y.scale)
    attributes = {
        "scheme": encode_scheme(rescale, f"{match.anchor.name}.rotary", builder.constants),
        "pairing": found.pairing,
        "x_zero_point": x.zero_point,
        "zero_point": y.zero_point,
        "output": format_to_json(y.format),
    }
    inputs = (match.operands[0].name, *names)
    builder.call("rotary", inputs, builder.result(), attributes)


def _codes(codes: FixedFormat, zero_point: int, reals: tuple[Any, Any]) -> tuple[int, list[Any]]:
    """Return fraction bits and tables: as many bits as 16-bit entries and 32-bit sums hold."""
    from hw_models import ContractError
    from hw_models.rotary import require_sums

    for fraction in range(_FRACTION, -1, -1):
        tables = [np.rint(real * 2.0**fraction).astype(np.int64) for real in reals]
        if max(int(np.abs(table).max()) for table in tables) > _LARGEST:
            continue
        try:
            require_sums(tables, codes, zero_point)
        except ContractError:
            continue
        return fraction, tables
    raise NotLowerableError(Reason("scheme", "its sums do not fit 32 bits"))


PATTERN: Final = Pattern(name="rotary", overloads=(), primitives=needs("rotary"), lower=_lower)

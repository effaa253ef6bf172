"""What one call of a primitive did to its accumulator or to its output range."""

from __future__ import annotations

from dataclasses import dataclass

from hw_models.formats import signed_bits


@dataclass(slots=True)
class Ledger:
    """The overflow record of one primitive call. Pass one in; the primitive fills it.

    Attributes:
        elements: how many output elements the call produced.
        minimum, maximum: exact extremes of the values *before* the overflow rule. For a ``mac``
            accumulator these are the extremes over every partial sum, in the stated order, of the
            unbounded sum.
        overflows: output elements in which the overflow rule changed something at least once
            (at ``mac``: at least one multiply-accumulate of that element).
        clamped: output elements that the output range or a fused activation clamped.
        first: index of the first element counted in ``overflows`` (or, in a primitive that only
            clamps, in ``clamped``), C order of the output.
        kernel: which kernel computed the call.
        reason: why that kernel is exact here.
    """

    elements: int = 0
    minimum: int = 0
    maximum: int = 0
    overflows: int = 0
    clamped: int = 0
    first: tuple[int, ...] | None = None
    kernel: str = ""
    reason: str = ""

    @property
    def bits_used(self) -> int:
        """The narrowest signed register that would have held every value: the safe width."""
        return signed_bits(self.minimum, self.maximum)

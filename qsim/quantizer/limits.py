"""How small a weight's scale may be: codes that fit their registers, factors that can be held.

At a small weight scale ``s_w`` (a nearly dead channel) the codes of a usual bias, ``bias / (s_x *
s_w)``, are large, and the factor ``s_x * s_w / s_y`` of the requantizer is small. The scale of a
channel is raised, and bits of its small weights lost, until

* the bias fits its own register, where it has the accumulator's scale;
* the bias and the largest correlation that any input can give, together, fit the register of the
  sum. Where that correlation alone does not fit it, whatever the bias, data decide, and the report
  of a run says what they did; there the bias keeps to half of the register;
* the requantizer has a multiplier and a shift for the factor, right to a sixteenth.

A weight of zeros has no scale of its own. Its result is the bias alone, so it begins with the scale
at which the accumulator is ``2**-8`` of the result's step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from qsim.quantizer.qparams import Codes, Coding, Floats, choose, symmetric_scale

if TYPE_CHECKING:
    from qsim.quantizer.observers import ActivationObserver
    from qsim.target import Target

_ROUNDS: Final = 64
_ABOVE: Final = 1.0 + 2.0**-20
_FINER: Final = 2.0**-8
# Beyond 24 bits fp32 cannot clamp to the last codes.
_WIDE: Final = 1.0 - 2.0**-20


@dataclass(frozen=True)
class Registers:
    """What a target holds of a product with constant weights.

    Attributes:
        bias: smallest and largest code of a bias at the accumulator's scale; None where it has a
            scale of its own.
        bias_bits: width of a bias.
        total: smallest and largest sum of correlation and bias.
        factor: the smallest factor of the requantizer, see ``derive.smallest_factor``.
    """

    bias: tuple[int, int] | None
    bias_bits: int
    total: tuple[int, int]
    factor: float

    @classmethod
    def of(cls, target: Target, operator: str = "") -> Registers:
        """Return those of a target."""
        from qsim.target import derive

        fmt, total = target.bias.format, target.sum.accumulator
        return cls(
            None if target.bias.own_scale else (fmt.min, fmt.max),
            fmt.bits,
            (total.min, total.max),
            derive.smallest_factor(target, operator),
        )


@dataclass(frozen=True)
class Limit:
    """What the scales of one weight must allow.

    Attributes:
        x: observes the activation that the weight is multiplied with.
        y: observes the result; None where it has no codes.
        bias: one value per output channel; None without a bias.
        registers: of the target.
    """

    x: ActivationObserver
    y: ActivationObserver | None
    bias: Floats | None
    registers: Registers

    def scales(
        self, rows: Floats, low: Floats, high: Floats, coding: Coding
    ) -> tuple[Floats, Codes]:
        """Return scales and zero points of a weight, one per row, that allow it.

        Args:
            rows: the weight, one output channel a row (or all in one, per tensor).
            low: of the range of each row.
            high: likewise.
            coding: of the weight.
        """
        s_x, x_zero = (float(part[0]) for part in self.x.qparams())
        floor = np.zeros(low.shape)
        if self.y is not None:
            s_y = float(self.y.qparams()[0][0])
            # A scale is rounded to fp32, maybe down.
            floor = floor + self.registers.factor * _ABOVE * s_y / s_x
            if not rows.any():
                # Zeros leave the scale open: of 1, that of a bias could be coarser than the result.
                high = np.full(high.shape, coding.quant_max * s_y / s_x * _FINER)
        if self.bias is None:
            return choose(low, high, coding, floor)
        bias = self._by_row(low.size)
        if self.registers.bias is not None:
            room = _WIDE if self.registers.bias_bits > 24 else 1.0
            need = symmetric_scale(*bias, *self.registers.bias) / room / s_x
            floor = np.maximum(floor, need)
        ends = (self.x.quant_min - x_zero, self.x.quant_max - x_zero)
        for _ in range(_ROUNDS):
            scale, zero = choose(low, high, coding, floor)
            over = self._excess(rows, bias, s_x * scale, zero, ends, coding, scale)
            if not (over > 1.0).any():
                break
            floor = np.where(over > 1.0, scale * over, floor)
        return scale, zero

    def _by_row(self, rows: int) -> tuple[Floats, Floats]:
        """Return the smallest and the largest bias (or 0) of the channels of each row."""
        assert self.bias is not None  # noqa: S101  # for mypy: asked before
        flat = self.bias.reshape(-1)
        # Groups of a transposed convolution share the rows; per tensor all share one.
        parts = flat.reshape(-1, rows) if flat.size % rows == 0 else np.tile(flat[:, None], rows)
        return np.minimum(parts.min(axis=0), 0.0), np.maximum(parts.max(axis=0), 0.0)

    def _excess(
        self,
        rows: Floats,
        bias: tuple[Floats, Floats],
        unit: Floats,
        zero: Codes,
        ends: tuple[float, float],
        coding: Coding,
        scale: Floats,
    ) -> Floats:
        """Return by how much the largest sum of each row exceeds the register; below 1 if not."""
        codes = np.clip(
            np.rint(rows / scale[:, None]), coding.quant_min - zero[:, None],
            coding.quant_max - zero[:, None],
        )  # fmt: skip
        positive = np.maximum(codes, 0.0).sum(axis=1)
        negative = np.maximum(-codes, 0.0).sum(axis=1)
        low, high = min(ends[0], 0.0), max(ends[1], 0.0)
        most = (positive * -low + negative * high, positive * high + negative * -low)
        over = np.zeros(unit.shape)
        # A bias is rounded to fp32 scales, to its own scale and to a code.
        slack = 1.0 + 2.0 ** -min(20, self.registers.bias_bits - 2)
        for value, reach, limit in zip(bias, most, self.registers.total, strict=True):
            room = float(abs(limit))
            code = np.abs(value) / unit * slack + 1.0
            alone = np.where(reach <= room, (code + reach) / room, 2.0 * code / room)
            over = np.maximum(over, np.where(value == 0.0, 0.0, alone))
        return np.where(over > 1.0, over * _ABOVE, over)


@dataclass(frozen=True)
class Raised:
    """Scales of a tensor that are larger than its values need.

    Attributes:
        layer: module path.
        tensor: ``weight``, or ``activation`` where two had to be aligned.
        channels: how many channels' scales were raised; 1 where the tensor has one scale.
        channel: the one that was raised most; None where the tensor has one scale.
        factor: by which its scale was raised; its binary logarithm is how many bits of the
            channel's values are lost.
    """

    layer: str
    tensor: str
    channels: int
    channel: int | None
    factor: float

    @classmethod
    def of(cls, layer: str, tensor: str, factors: Floats) -> Raised | None:
        """Return what to say of a tensor whose scales were multiplied by so much, if anything."""
        raised = factors > 1.0 + 2.0**-10
        if not raised.any():
            return None
        worst = int(np.argmax(factors)) if factors.size > 1 else None
        return cls(layer, tensor, int(raised.sum()), worst, float(factors.max()))

    def __str__(self) -> str:
        where = "" if self.channel is None else f" of channel {self.channel}"
        more = f" ({self.channels} channels raised)" if self.channels > 1 else ""
        place = f"{self.layer} " if self.layer else ""
        return f"{place}{self.tensor}: the scale{where} by {self.factor:.3g}{more}"

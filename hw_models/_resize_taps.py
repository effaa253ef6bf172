"""Where a resized dimension reads its input: two taps and two weights for every output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np

from hw_models._arguments import require_flag, require_name, show
from hw_models._pointwise import require_int
from hw_models.errors import ContractError, no_case
from hw_models.formats import is_int

Mode: TypeAlias = Literal["nearest", "bilinear"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
MAX_SIZE: Final = 1 << 14  # of an output; TOSA's input and output are below it
MAX_PIXELS: Final = 1 << 16  # along a dimension of an input
MAX_SCALE: Final = 1 << 11
FRACTION: Final = 10  # fraction bits of a position in TFLite's bilinear


@dataclass(frozen=True, slots=True)
class Tap:
    """One output position: ``low_weight * x[low] + high_weight * x[high]``.

    Attributes:
        low: index of the input.
        high: the same index, or the next.
        low_weight: integer; 1 for nearest.
        high_weight: integer; 0 for nearest.
    """

    low: int
    high: int
    low_weight: int = 1
    high_weight: int = 0


def _is_sequence(value: Any) -> bool:
    """Whether value has an order and a length and is no text: a set, or a generator, is not."""
    array = isinstance(value, np.ndarray) and value.ndim == 1
    text = isinstance(value, (str, bytes, bytearray))
    return array or (isinstance(value, Sequence) and not text)


def _numbers(value: Any, name: str, count: int, low: int, high: int) -> tuple[int, ...]:
    items = tuple(value) if _is_sequence(value) else ()
    if len(items) != count or not all(is_int(item) for item in items):
        raise ContractError(
            f"{name} must be {count} integers, not {show(value)} (accepted: {low}..{high} each)"
        )
    return tuple(require_int(item, name, low, high) for item in items)


def weights(mode: Mode) -> bool:
    """Return whether a mode weights the taps, and does not take the nearest alone."""
    match mode:
        case "nearest":
            return False
        case "bilinear":
            return True
        case _:
            raise ContractError(no_case(mode, "the mode of a resize", MODES))


@dataclass(frozen=True, slots=True)
class SizedResize:
    """A resize to a size, as TFLite's.

    Attributes:
        size: height and width of the output, or the width alone.
        mode: ``nearest`` or ``bilinear``.
        align_corners: the centres of the corner pixels stay where they are.
        half_pixel_centers: positions are those of pixel centres; not with ``align_corners``.
    """

    size: tuple[int, ...]
    mode: Mode = "nearest"
    align_corners: bool = False
    half_pixel_centers: bool = False

    def __post_init__(self) -> None:
        count = 1 if _is_sequence(self.size) and len(self.size) == 1 else 2
        sizes = _numbers(self.size, "SizedResize.size", count, 1, MAX_SIZE)
        object.__setattr__(self, "size", sizes)
        require_name(self.mode, "SizedResize.mode", MODES)
        require_flag(self.align_corners, "SizedResize.align_corners")
        require_flag(self.half_pixel_centers, "SizedResize.half_pixel_centers")
        if self.align_corners and self.half_pixel_centers:
            raise ContractError(
                "SizedResize must have one rule of positions, not align_corners and "
                "half_pixel_centers (accepted: at most one of them)"
            )

    @property
    def shift(self) -> int:
        """How many fraction bits of a weighted sum are rounded away."""
        return 2 * FRACTION if weights(self.mode) else 0

    @property
    def unit(self) -> int:
        """The weight that stands for 1 in a dimension that is not resized."""
        return 1 << FRACTION if weights(self.mode) else 1

    def taps(self, shape: Sequence[int]) -> list[list[Tap]]:
        """Return the taps of each spatial dimension of an input of this shape: the definition."""
        if len(shape) != len(self.size):
            raise ContractError(
                f"SizedResize.size must have one value per spatial dimension, not {self.size} for "
                f"{tuple(shape)} (accepted: {len(shape)} values)"
            )
        rule = self._bilinear if weights(self.mode) else self._nearest
        return [
            [rule(position, old, new) for position in range(new)]
            for old, new in zip(shape, self.size, strict=True)
        ]

    def _nearest(self, position: int, old: int, new: int) -> Tap:
        corners = self.align_corners and new > 1
        scale = np.float32(old - 1) / np.float32(new - 1) if corners else np.float32(old)
        scale = scale if corners else scale / np.float32(new)
        offset = np.float32(0.5 if self.half_pixel_centers else 0.0)
        place = float((np.float32(position) + offset) * scale)
        index = min(math.floor(place + 0.5 if self.align_corners else place), old - 1)
        return Tap(index, index)

    def _bilinear(self, position: int, old: int, new: int) -> Tap:
        one = 1 << FRACTION
        if self.align_corners and new > 1:
            scale = (one * (old - 1) + (new - 1) // 2) // (new - 1)
        else:
            scale = (one * old + new // 2) // new
        place = position * scale
        if self.half_pixel_centers:
            place += scale // 2 - one // 2
        low = max(place >> FRACTION, 0)
        if low >= old:
            raise ContractError(
                f"a resize must read inside the input, not at {low} of {old} for output {position} "
                f"of {new}: its scale of {FRACTION} fraction bits is too coarse (accepted: a "
                "smaller output)"
            )
        high = min(-(-place >> FRACTION), old - 1)
        weight = place - low * one
        # Below the first pixel and beyond the last one both taps are the same.
        return Tap(low, high, one - weight, weight) if high > low else Tap(low, low, one, 0)


@dataclass(frozen=True, slots=True)
class ScaledResize:
    """A resize by rational scales, as TOSA's RESIZE.

    Attributes:
        scale: (y_n, y_d, x_n, x_d): the output is n/d times as large; n in 1..2048, d below 16 * n.
        offset: (y, x): of the first position, in steps of 1/n of an input pixel, -n..16 * n - 1.
        border: (y, x): added to the reach of the last position, -16 * n..n - 1 of these steps.
        mode: ``nearest``, or ``bilinear``, whose sum keeps the factor y_n * x_n.
    """

    scale: tuple[int, int, int, int]
    offset: tuple[int, int] = (0, 0)
    border: tuple[int, int] = (0, 0)
    mode: Mode = "nearest"

    def __post_init__(self) -> None:
        scale = _numbers(self.scale, "ScaledResize.scale", 4, 1, 16 * MAX_SCALE - 1)
        object.__setattr__(self, "scale", scale)
        if max(scale[::2]) > MAX_SCALE:
            raise ContractError(
                f"ScaledResize.scale must have numerators of up to {MAX_SCALE}, not {scale} "
                f"(accepted: n in 1..{MAX_SCALE})"
            )
        if any(d >= 16 * n for n, d in zip(scale[::2], scale[1::2], strict=True)):
            raise ContractError(
                f"ScaledResize.scale must shrink by less than 16, not {scale} "
                "(accepted: d < 16 * n)"
            )
        for name, least, most in (("offset", 1, 16), ("border", 16, 1)):
            far = 16 * MAX_SCALE
            value = _numbers(getattr(self, name), f"ScaledResize.{name}", 2, -far, far)
            for item, n in zip(value, scale[::2], strict=True):
                require_int(item, f"ScaledResize.{name}", -least * n, most * n - 1)
            object.__setattr__(self, name, value)
        require_name(self.mode, "ScaledResize.mode", MODES)

    def taps(self, shape: Sequence[int]) -> list[list[Tap]]:
        """Return the taps of rows and columns of an input of this shape: the definition."""
        if len(shape) != 2:
            raise ContractError(
                f"ScaledResize takes two spatial dimensions, not {len(shape)} (accepted: 2)"
            )
        axes = zip(shape, self.scale[::2], self.scale[1::2], self.offset, self.border, strict=True)
        return [self._axis(*axis) for axis in axes]

    def _axis(self, old: int, n: int, d: int, offset: int, border: int) -> list[Tap]:
        reach = (old - 1) * n - offset + border
        if reach < 0 or reach % d:
            raise ContractError(
                f"(size - 1) * n - offset + border must be a multiple of d, not {reach} for "
                f"d = {d} (accepted: 0, {d}, {2 * d}, ...)"
            )
        for what, size in (("input", old), ("output", reach // d + 1)):
            if size >= MAX_SIZE:
                raise ContractError(
                    f"the {what} must be below {MAX_SIZE} long, not {size} "
                    f"(accepted: 1..{MAX_SIZE - 1})"
                )
        taps = []
        for position in range(reach // d + 1):
            index, rest = divmod(position * d + offset, n)
            low, high = (min(max(i, 0), old - 1) for i in (index, index + 1))
            if weights(self.mode):
                taps.append(Tap(low, high, n - rest, rest))
            else:
                nearest = high if 2 * rest >= n else low
                taps.append(Tap(nearest, nearest))
        return taps

    @property
    def shift(self) -> int:
        """How many fraction bits of a weighted sum are rounded away: none."""
        return 0


Resize: TypeAlias = SizedResize | ScaledResize

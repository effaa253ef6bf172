"""The shape of a correlation: arguments checked once, taps and output sizes computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

import numpy as np

from hw_models._arguments import as_array, require_sizes
from hw_models.errors import ContractError, no_case
from hw_models.formats import ORDERS, IntArray, Order, is_int

Pair: TypeAlias = tuple[int, int]
Padding: TypeAlias = int | Sequence[int] | Sequence[tuple[int, int]]

CODE_MIN, CODE_MAX = -(1 << 31), (1 << 32) - 1
MAX_PLANE: Final = 1 << 31


def check_codes(name: str, array: object) -> IntArray:
    """Return array as an ndarray after checking that it holds integers of at most 32 bits."""
    codes = as_array(array, name)
    if codes.dtype.kind not in "iu":
        raise ContractError(
            f"{name} must have an integer dtype, not {codes.dtype} (accepted: int8 to uint64)"
        )
    if codes.dtype.itemsize == 8 and codes.size:
        low, high = int(codes.min()), int(codes.max())
        if low < CODE_MIN or high > CODE_MAX:
            offender = low if low < CODE_MIN else high
            raise ContractError(
                f"{name} must hold codes of at most 32 bits, not {offender} "
                f"(accepted: {CODE_MIN}..{CODE_MAX})"
            )
    return codes


def check_code(name: str, value: object) -> int:
    """Return a scalar code of at most 32 bits as a Python integer."""
    scalar = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if not is_int(scalar) or not CODE_MIN <= int(cast("int", scalar)) <= CODE_MAX:
        raise ContractError(
            f"{name} must be an integer of at most 32 bits, not {value!r} "
            f"(accepted: {CODE_MIN}..{CODE_MAX})"
        )
    return int(cast("int", scalar))


def check_zero_points(name: str, value: object, channels: int) -> IntArray:
    """Return a scalar or per-channel zero point as int64 [channels]."""
    points = check_codes(name, value)
    if points.ndim > 1 or (points.ndim == 1 and points.shape[0] != channels):
        raise ContractError(
            f"{name} must be a scalar or one per output channel, not shape {points.shape} "
            f"(accepted: () or ({channels},))"
        )
    return cast("IntArray", np.broadcast_to(points.astype(np.int64), (channels,)))


def per_dimension(name: str, value: object, dimensions: int, minimum: int) -> tuple[int, ...]:
    """Return one integer of at least ``minimum`` per spatial dimension."""
    values = (value,) * dimensions if is_int(value) else value
    if (
        not isinstance(values, Sequence)
        or isinstance(values, (str, bytes))
        or len(values) != dimensions
        or not all(is_int(item) for item in values)
    ):
        raise ContractError(
            f"{name} must be an integer or one per spatial dimension, not {value!r} "
            f"(accepted: {dimensions} integers)"
        )
    return require_sizes(values, name, minimum)


def pairs_per_dimension(name: str, value: Sequence[object], dimensions: int) -> tuple[Pair, ...]:
    """Return one (before, after) per spatial dimension from a sequence of pairs."""
    if len(value) != dimensions:
        raise ContractError(
            f"{name} must give one (before, after) per spatial dimension, not {value!r} "
            f"(accepted: {dimensions} pairs)"
        )
    pairs = [per_dimension(name, () if is_int(item) else item, 2, 0) for item in value]
    return tuple((before, after) for before, after in pairs)


def require_plane(what: str, rows: int, columns: int, accepted: str) -> None:
    """Refuse a plane that has too many elements to be held."""
    if rows * columns >= MAX_PLANE:
        raise ContractError(
            f"{what} must have less than 2**31 elements, not {rows} x {columns} "
            f"(accepted: {accepted})"
        )


def _pads(value: object, dimensions: int) -> tuple[Pair, ...]:
    if isinstance(value, (tuple, list)) and any(isinstance(v, (tuple, list)) for v in value):
        return pairs_per_dimension("padding", value, dimensions)
    return tuple((size, size) for size in per_dimension("padding", value, dimensions, 0))


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where the taps of a correlation lie. One spatial dimension is held as a height of 1.

    Attributes:
        spatial: spatial dimensions that the caller sees, 1 or 2.
        outputs, channels: output channels O and input channels per group.
        kernel, stride, dilation: (vertical, horizontal).
        padding: ((top, bottom), (left, right)).
        groups: number of groups.
    """

    spatial: int
    outputs: int
    channels: int
    kernel: Pair
    stride: Pair
    padding: tuple[Pair, Pair]
    dilation: Pair
    groups: int

    @classmethod
    def of(
        cls,
        weight_shape: tuple[int, ...],
        stride: object,
        padding: object,
        dilation: object,
        groups: object,
    ) -> Geometry:
        """Check the arguments against a weight of shape [O, C / groups, *kernel]."""
        dimensions = len(weight_shape) - 2
        if dimensions not in (1, 2):
            raise ContractError(
                "weight must have shape [O, C/groups, *kernel] with 1 or 2 spatial dimensions, "
                f"not {weight_shape} (accepted: 3 or 4 dimensions)"
            )
        if min(weight_shape[2:]) < 1:
            raise ContractError(
                f"kernel must have at least one tap per dimension, not {weight_shape[2:]} "
                "(accepted: sizes of 1 or more)"
            )
        outputs, channels = weight_shape[:2]
        if not is_int(groups) or cast("int", groups) < 1 or outputs % cast("int", groups):
            raise ContractError(
                f"groups must divide the {outputs} output channels, not {groups!r} "
                "(accepted: a divisor, 1 or more)"
            )
        steps = per_dimension("stride", stride, dimensions, 1)
        spread = per_dimension("dilation", dilation, dimensions, 1)
        pads = _pads(padding, dimensions)
        if dimensions == 1:
            kernel, steps, spread = (1, weight_shape[2]), (1, *steps), (1, *spread)
            pads = ((0, 0), *pads)
        else:
            kernel = (weight_shape[2], weight_shape[3])
        return cls(
            dimensions,
            outputs,
            channels,
            kernel,
            cast("Pair", steps),
            cast("tuple[Pair, Pair]", pads),
            cast("Pair", spread),
            int(cast("int", groups)),
        )

    @property
    def padded(self) -> bool:
        """Whether any tap can fall outside the input."""
        return any(size > 0 for pair in self.padding for size in pair)

    @property
    def group_outputs(self) -> int:
        """Output channels per group."""
        return self.outputs // self.groups

    @property
    def taps(self) -> int:
        """Products per output."""
        return self.channels * self.kernel[0] * self.kernel[1]

    def view(self, x: IntArray) -> IntArray:
        """Return x [N, C, *spatial] as a view [N, C, H, W]."""
        if x.ndim != self.spatial + 2:
            raise ContractError(
                f"x must have shape [N, C, *spatial] with {self.spatial} spatial dimension(s) as "
                f"the weight has, not {x.shape} (accepted: {self.spatial + 2} dimensions)"
            )
        if x.shape[1] != self.channels * self.groups:
            raise ContractError(
                f"x must have {self.channels * self.groups} channels (weight's {self.channels} "
                f"times groups={self.groups}), not {x.shape[1]} "
                f"(accepted: {self.channels * self.groups})"
            )
        return x if self.spatial == 2 else x[:, :, None, :]

    def output_size(self, height: int, width: int) -> Pair:
        """Return the output's height and width for an input's."""
        if self.padded:
            rows, columns = self.padded_size(height, width)
            require_plane("a plane of the padded input", rows, columns, "less padding")
        return self._steps(0, height), self._steps(1, width)

    def _steps(self, axis: int, size: int) -> int:
        before, after = self.padding[axis]
        reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1
        room = size + before + after - reach
        if room < 0:
            raise ContractError(
                f"the kernel must fit the padded input: it reaches over {reach} elements, not "
                f"the {room + reach} of a spatial dimension (accepted: {reach} or more)"
            )
        return room // self.stride[axis] + 1

    def padded_size(self, height: int, width: int) -> Pair:
        """Return the input's height and width with the padding."""
        (top, bottom), (left, right) = self.padding
        return height + top + bottom, width + left + right

    def unview(self, y: IntArray) -> IntArray:
        """Return y [N, O, OH, OW] in the caller's number of spatial dimensions."""
        return y if self.spatial == 2 else y[:, :, 0, :]

    def tap_order(self, order: Order) -> IntArray:
        """Return (channel, ky, kx) of every tap [K, 3], in the order that a mac takes them."""
        shape = (self.channels, *self.kernel)
        index = np.indices(shape).reshape(3, -1).T
        match order:
            case "channel_first":
                pass
            case "channel_last":
                index = index.reshape(*shape, 3).transpose(1, 2, 0, 3).reshape(-1, 3)
            case _:
                raise ContractError(no_case(order, "Accumulator.order", ORDERS))
        return cast("IntArray", np.ascontiguousarray(index))

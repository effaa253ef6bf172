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


def pads(name: str, value: object, dimensions: int) -> tuple[Pair, ...]:
    """Return (before, after) per spatial dimension from a size, sizes or pairs."""
    if isinstance(value, (tuple, list)) and any(isinstance(v, (tuple, list)) for v in value):
        return pairs_per_dimension(name, value, dimensions)
    return tuple((size, size) for size in per_dimension(name, value, dimensions, 0))


@dataclass(frozen=True, slots=True)
class Depth:
    """The first of three spatial dimensions.

    A correlation of volumes is one of planes: an output plane reads as many input planes as the
    kernel is deep, and those are so many channels. Nothing else knows of a third dimension.

    Attributes:
        taps: planes that an output plane reads.
        stride, dilation: distance between windows, and between taps.
        padding: planes (in front, behind).
    """

    taps: int
    stride: int
    padding: Pair
    dilation: int

    def fold(self, x: IntArray, outputs: int, pad: int) -> IntArray:
        """Return x [N, C, D, H, W] as [N*OD, C*taps, H, W], the padding filled with ``pad``."""
        planes = x.transpose(0, 2, 3, 4, 1)
        if any(self.padding):
            info = np.iinfo(x.dtype)
            wide = planes if info.min <= pad <= info.max else planes.astype(np.int64)
            ends = ((0, 0), self.padding, *((0, 0),) * 3)
            planes = np.pad(wide, ends, constant_values=pad)
        starts = np.arange(outputs) * self.stride
        taken = planes[:, starts[:, None] + np.arange(self.taps) * self.dilation]
        n, _, _, height, width, channels = taken.shape
        rows = taken.transpose(0, 1, 3, 4, 5, 2).reshape(
            n * outputs, height, width, channels * self.taps
        )
        return cast("IntArray", rows.transpose(0, 3, 1, 2))


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where the taps of a correlation lie, as one of planes.

    One spatial dimension is held as a height of 1, the first of three as channels (``Depth``).

    Attributes:
        spatial: spatial dimensions that the caller sees, 1 to 3.
        outputs, channels: output channels O and input channels per group, depth included.
        kernel, stride, dilation: (vertical, horizontal).
        padding: ((top, bottom), (left, right)).
        groups: number of groups.
        depth: the first of three spatial dimensions.
    """

    spatial: int
    outputs: int
    channels: int
    kernel: Pair
    stride: Pair
    padding: tuple[Pair, Pair]
    dilation: Pair
    groups: int
    depth: Depth | None = None

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
        if dimensions not in (1, 2, 3):
            raise ContractError(
                "weight must have shape [O, C/groups, *kernel] with 1 to 3 spatial dimensions, "
                f"not {weight_shape} (accepted: 3 to 5 dimensions)"
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
        ends, kernel = pads("padding", padding, dimensions), weight_shape[2:]
        depth = None
        if dimensions == 1:
            kernel, steps, spread = (1, *kernel), (1, *steps), (1, *spread)
            ends = ((0, 0), *ends)
        elif dimensions == 3:
            depth = Depth(kernel[0], steps[0], ends[0], spread[0])
            kernel, steps, ends, spread = kernel[1:], steps[1:], ends[1:], spread[1:]
            channels *= depth.taps
        return cls(
            dimensions,
            outputs,
            channels,
            cast("Pair", kernel),
            cast("Pair", steps),
            cast("tuple[Pair, Pair]", ends),
            cast("Pair", spread),
            int(cast("int", groups)),
            depth,
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

    def view(self, x: IntArray, pad: int = 0) -> IntArray:
        """Return x [N, C, *spatial] as planes [N, C, H, W]; ``pad`` fills the padding in depth."""
        self._check_input(x)
        if self.spatial == 1:
            return x[:, :, None, :]
        if self.depth is None:
            return x
        return self.depth.fold(x, self._deep(x.shape), pad)

    def _check_input(self, x: IntArray) -> None:
        if x.ndim != self.spatial + 2:
            raise ContractError(
                f"x must have shape [N, C, *spatial] with {self.spatial} spatial dimension(s) as "
                f"the weight has, not {x.shape} (accepted: {self.spatial + 2} dimensions)"
            )
        channels = self.channels * self.groups // (self.depth.taps if self.depth else 1)
        if x.shape[1] != channels:
            raise ContractError(
                f"x must have {channels} channels (weight's {channels // self.groups} "
                f"times groups={self.groups}), not {x.shape[1]} (accepted: {channels})"
            )

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return [N, O, *out] for an input of shape [N, C, *spatial], or [N, C, W]."""
        height, width = (1, *shape[2:])[-2:]
        out = self.output_size(height, width)
        deep = () if self.depth is None else (self._deep(shape),)
        return (shape[0], self.outputs, *deep, *out[2 - min(self.spatial, 2) :])

    def _deep(self, shape: tuple[int, ...]) -> int:
        """Return the planes of the output for an input [N, C, D, H, W]."""
        depth = cast("Depth", self.depth)
        count = _steps(shape[2], depth.taps, depth.stride, depth.padding, depth.dilation)
        height, width = self.padded_size(*shape[3:])
        what = "what the planes of an output read, padded,"
        require_plane(what, count * depth.taps * height, width, "less padding, a smaller kernel")
        return count

    def output_size(self, height: int, width: int) -> Pair:
        """Return the output's height and width for an input's."""
        if self.padded:
            rows, columns = self.padded_size(height, width)
            require_plane("a plane of the padded input", rows, columns, "less padding")
        return self._steps(0, height), self._steps(1, width)

    def _steps(self, axis: int, size: int) -> int:
        before_after = self.padding[axis]
        return _steps(size, self.kernel[axis], self.stride[axis], before_after, self.dilation[axis])

    def padded_size(self, height: int, width: int) -> Pair:
        """Return the input's height and width with the padding."""
        (top, bottom), (left, right) = self.padding
        return height + top + bottom, width + left + right

    def unview(self, y: IntArray, shape: tuple[int, ...]) -> IntArray:
        """Return y [planes, O, OH, OW] in the shape that the caller sees."""
        if self.spatial == 1:
            return y[:, :, 0, :]
        if self.depth is None:
            return y
        n, outputs, deep, *out = shape
        return y.reshape(n, deep, outputs, *out).swapaxes(1, 2)

    def place(self, index: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Return where an element of the result lies in planes [planes, O, OH, OW]."""
        n, o, *position = index
        if self.depth is not None:
            n = n * shape[2] + position.pop(0)
        row, column = (0, *position)[-2:]
        return n, o, row, column

    def tap_order(self, order: Order) -> IntArray:
        """Return (channel, ky, kx) of every tap [K, 3], in the order that a mac takes them."""
        deep = self.depth.taps if self.depth else 1
        shape = (self.channels // deep, deep, *self.kernel)
        index = np.indices((self.channels, *self.kernel)).reshape(3, -1).T
        match order:
            case "channel_first":
                pass
            case "channel_last":
                index = index.reshape(*shape, 3).transpose(1, 2, 3, 0, 4).reshape(-1, 3)
            case _:
                raise ContractError(no_case(order, "Accumulator.order", ORDERS))
        return cast("IntArray", np.ascontiguousarray(index))


def _steps(size: int, taps: int, stride: int, padding: Pair, dilation: int) -> int:
    """Return how many windows lie along a dimension."""
    reach = dilation * (taps - 1) + 1
    room = size + sum(padding) - reach
    if room < 0:
        raise ContractError(
            f"the kernel must fit the padded input: it reaches over {reach} elements, not "
            f"the {room + reach} of a spatial dimension (accepted: {reach} or more)"
        )
    return room // stride + 1

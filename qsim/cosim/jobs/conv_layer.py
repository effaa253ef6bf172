"""The calls of one layer as conv_engine.sv takes them: a convolution, its bias, its requantizer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from qsim.cosim.jobs.im2col import Window
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from qsim.golden import Case
    from qsim.program import Array

_CHAINS: Final = (
    ("correlation", "bias_add", "requantize"),
    ("correlation", "requantize"),
    ("linear", "bias_add", "requantize"),
    ("linear", "requantize"),
)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer.

    Attributes:
        sums: the correlation or linear call.
        bias: the bias_add call, if there is one.
        codes: the requantize call.
        x: images [N, C, H, W]; the rows of a linear layer lie side by side in one image.
        weight: kernels [O, C / groups, KH, KW].
        geometry: the engine's registers for sizes, by their names in conv_pkg.sv.
        element: [N, OH, OW, O], in the order in which the engine makes codes: the flat index of
            each in the requantize call's result.
    """

    sums: Case
    bias: Case | None
    codes: Case
    x: Array
    weight: Array
    geometry: Mapping[str, int]
    element: npt.NDArray[np.int64]

    def per_channel(self, values: Any, axis: int, what: str) -> npt.NDArray[np.int64]:
        """Return a parameter of every output channel, from a scalar or one per channel.

        Raises:
            UsageError: it belongs to another dimension than the channels.
        """
        array = np.asarray(values, np.int64).reshape(-1)
        rank = self.sums.expected.ndim
        channels = rank - 1 if self.sums.primitive == "linear" else 1
        if array.size > 1 and axis % rank != channels:
            raise UsageError(
                f"{what} must be per output channel, not along dimension {axis}",
                where=f"case {self.codes.name!r}",
                accepted=f"axis {channels}",
            )
        return np.broadcast_to(array, (len(self.weight),))


def layer(cases: Sequence[Case]) -> Layer:
    """Return a layer from its calls, in their order.

    Raises:
        UsageError: other calls, or calls whose operands are not each other's results.
    """
    names = tuple(case.primitive for case in cases)
    if names not in _CHAINS:
        raise UsageError(
            f"a layer of conv_engine must be calls that follow each other, not {list(names)}",
            accepted="; ".join(", ".join(chain) for chain in _CHAINS),
        )
    for made, used in pairwise(cases):
        if not np.array_equal(made.expected, used.operands["acc"]):
            raise UsageError(
                f"case {used.name!r} must take what {made.name!r} made, not other values",
                accepted="calls of one layer of one run",
            )
    sums, codes = cases[0], cases[-1]
    bias = cases[1] if len(cases) == 3 else None
    x, weight = sums.operands["x"], sums.operands["weight"]
    if sums.primitive == "linear":
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        image, kernel = rows.T[None, :, None, :], weight[:, :, None, None]
        geometry = _geometry(image, kernel, (1, len(rows)), Window(), groups=1)
        element = np.arange(codes.expected.size, dtype=np.int64).reshape(1, 1, len(rows), -1)
        return Layer(sums, bias, codes, image, kernel, geometry, element)
    shape = codes.expected.shape
    if len(shape) > 4:
        raise UsageError(
            f"a layer of conv_engine must be of images, not of volumes: codes {list(shape)}",
            where=f"case {sums.name!r}",
            accepted="1 or 2 spatial dimensions; correlation.sv computes volumes",
        )
    flat = _planar(np.arange(codes.expected.size, dtype=np.int64).reshape(shape))
    window = Window.of(sums.attributes, len(shape) - 2)
    x, weight = _planar(x), _planar(weight)
    groups = x.shape[1] // weight.shape[1]
    geometry = _geometry(x, weight, flat.shape[2:], window, groups)
    return Layer(sums, bias, codes, x, weight, geometry, flat.transpose(0, 2, 3, 1))


def _planar(array: Array) -> Array:
    """Return [A, B, H, W] of an array [A, B, W] or [A, B, H, W]."""
    return array if array.ndim == 4 else array[:, :, None, :]


def layers(cases: Iterable[Case]) -> Iterator[tuple[Case, ...]]:
    """Yield the calls of a run, those of one layer of conv_engine together, the others alone."""
    calls = list(cases)
    taken: set[int] = set()
    for index in range(len(calls)):
        if index in taken:
            continue
        chain = _chain(calls, index, taken)
        taken.update(chain)
        yield tuple(calls[i] for i in chain)


def _chain(calls: Sequence[Case], start: int, taken: set[int]) -> list[int]:
    """Return the positions of a layer's calls; of the first one alone where they are no layer."""
    chain = [start]
    names: tuple[str, ...] = (calls[start].primitive,)
    while names not in _CHAINS:
        follower = next(
            (
                index
                for index in range(chain[-1] + 1, len(calls))
                if index not in taken
                and any(
                    known[: len(names) + 1] == (*names, calls[index].primitive) for known in _CHAINS
                )
                and _reads(calls[index], calls[chain[-1]])
            ),
            None,
        )
        if follower is None:
            return [start]
        chain.append(follower)
        names = (*names, calls[follower].primitive)
    return chain


def _reads(used: Case, made: Case) -> bool:
    acc = used.operands["acc"]
    return used.layer == made.layer and np.array_equal(made.expected, acc)


def _geometry(
    x: Array, weight: Array, out: tuple[int, ...], window: Window, groups: int
) -> dict[str, int]:
    return {
        "CHANNELS": weight.shape[1],
        "OUTPUTS": weight.shape[0] // groups,
        "GROUPS": groups,
        "HEIGHT": x.shape[2],
        "WIDTH": x.shape[3],
        "OUT_HEIGHT": out[0],
        "OUT_WIDTH": out[1],
        "KERNEL_HEIGHT": weight.shape[2],
        "KERNEL_WIDTH": weight.shape[3],
        "STRIDE_DOWN": window.stride[1],
        "STRIDE_RIGHT": window.stride[2],
        "DILATION_DOWN": window.dilation[1],
        "DILATION_RIGHT": window.dilation[2],
        "PAD_TOP": window.pads[1][0],
        "PAD_LEFT": window.pads[2][0],
    }

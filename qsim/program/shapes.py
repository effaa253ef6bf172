"""Output shapes of the primitives. A size of -1 in dimension 0 is any batch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from qsim.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

Shape = tuple[int, ...]


def per_dimension(value: Any, spatial: int, what: str) -> Shape:
    """Return one integer per spatial dimension."""
    items = value if isinstance(value, list) else [value] * spatial
    if len(items) != spatial:
        raise ModelError.of(f"{what} must have one value per dimension", value, f"{spatial} values")
    return tuple(items)


def pads(value: Any, spatial: int) -> tuple[tuple[int, int], ...]:
    """Return (before, after) per spatial dimension."""
    items = value if isinstance(value, list) else [value] * spatial
    if len(items) != spatial:
        raise ModelError.of(
            "padding must have one entry per dimension", value, f"{spatial} entries"
        )
    return tuple((p[0], p[1]) if isinstance(p, list) else (p, p) for p in items)


def windows(
    size: int, kernel: int, stride: int, pad: tuple[int, int], dilation: int, *, ceil: bool = False
) -> int:
    """Return how many windows fit; ``ceil`` counts a last one that starts inside, as torch does."""
    span = size + pad[0] + pad[1] - dilation * (kernel - 1) - 1
    if span < 0:
        raise ModelError.of(
            "the kernel must fit into the padded input", kernel, f"input of {size} plus {pad}"
        )
    count = span // stride + 1
    if ceil and span % stride and count * stride < size + pad[0]:
        count += 1
    return count


def every_window_has_a_tap(
    size: int, kernel: int, stride: int, pad: tuple[int, int], dilation: int, count: int
) -> bool:
    """Return whether each of count windows covers an input element: else it has no maximum."""
    starts = [*range(-pad[0], min(0, (count - 1) * stride - pad[0] + 1), stride)]
    starts.append((count - 1) * stride - pad[0])
    for start in starts:
        first = max(0, -(start // dilation))
        if first >= kernel or start + dilation * first >= size:
            return False
    return True


def broadcast(a: Shape, b: Shape) -> Shape:
    """Broadcast two shapes as NumPy does; -1 matches -1 and 1, and stays in dimension 0."""
    rank = max(len(a), len(b))
    wide_a, wide_b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    result = []
    for axis, (left, right) in enumerate(zip(wide_a, wide_b, strict=True)):
        if left != right and 1 not in (left, right):
            raise ModelError.of(
                "operands must have equal or broadcastable shapes", (a, b), "as numpy"
            )
        size = right if left == 1 else left
        if size == -1 and axis:
            raise ModelError.of(
                "the batch must stay in dimension 0", (a, b), "operands of one rank"
            )
        result.append(size)
    return tuple(result)


def matmul(a: Shape, b: Shape) -> Shape:
    """Return the shape of ``a @ b``."""
    if len(a) < 2 or len(b) < 2:
        raise ModelError.of("operands must be matrices", (a, b), "2 dimensions or more")
    if a[-1] != b[-2] or a[-1] == -1:
        raise ModelError.of("columns of a must equal rows of b", (a, b), "the same number")
    batch = broadcast(a[:-2], b[:-2])
    if -1 in (b[-1], *(() if len(batch) == 0 else (a[-2],))):
        raise ModelError.of(
            "the batch must stay in dimension 0", (a, b), "a batch in dimension 0 only"
        )
    return (*batch, a[-2], b[-1])


def correlation(x: Shape, weight: Shape, attributes: Any) -> Shape:
    """Return [N, O, *out] of x [N, C, *spatial] and weight [O, C/groups, *kernel]."""
    spatial, groups = len(x) - 2, attributes["groups"]
    if spatial not in (1, 2, 3) or len(weight) != len(x):
        raise ModelError.of("x and weight must be of rank 3 to 5", (x, weight), "[N, C, *spatial]")
    if x[1] != weight[1] * groups or weight[0] % groups:
        raise ModelError.of(
            "channels must be weight.shape[1] * groups, and groups divide the outputs",
            (x, weight, groups),
            "C = C/groups * groups, O a multiple of groups",
        )
    stride = per_dimension(attributes["stride"], spatial, "stride")
    dilation = per_dimension(attributes["dilation"], spatial, "dilation")
    padding = pads(attributes["padding"], spatial)
    zipped = zip(x[2:], weight[2:], stride, padding, dilation, strict=True)
    return (x[0], weight[0], *(windows(*item) for item in zipped))


def pool(x: Shape, attributes: Any) -> Shape:
    """Return [N, C, *out] of a pooling; kernel null pools everything, or to output_size."""
    spatial = len(x) - 2
    if spatial not in (1, 2, 3):
        raise ModelError.of("x must be of rank 3 to 5", x, "[N, C, *spatial]")
    size = attributes.get("output_size")
    if size is not None:
        _only_adaptive(attributes, spatial)
        return (*x[:2], *per_dimension(size, spatial, "output_size"))
    if attributes["kernel"] is None:
        if any(p != (0, 0) for p in pads(attributes["padding"], spatial)):
            raise ModelError.of("a global pooling has no padding", attributes["padding"], "0")
        return (*x[:2], *(1,) * spatial)
    kernel = per_dimension(attributes["kernel"], spatial, "kernel")
    given = attributes["stride"]
    stride = kernel if given is None else per_dimension(given, spatial, "stride")
    dilation = per_dimension(attributes.get("dilation", 1), spatial, "dilation")
    padding = pads(attributes["padding"], spatial)
    for pad, size in zip(padding, kernel, strict=True):
        if max(pad) * 2 > size:
            raise ModelError.of("padding must be at most half the kernel", pad, f"0..{size // 2}")
    ceil = attributes["ceil_mode"]
    zipped = list(zip(x[2:], kernel, stride, padding, dilation, strict=True))
    out = tuple(windows(*item, ceil=ceil) for item in zipped)
    for item, count in zip(zipped, out, strict=True):
        if not every_window_has_a_tap(*item, count):
            raise ModelError.of("every window must cover an input element", item[3], "less padding")
    return (*x[:2], *out)


def _only_adaptive(attributes: Any, spatial: int) -> None:
    """Require of a pooling to output_size that nothing else says where its windows lie."""
    rest = (
        attributes["kernel"] is None
        and not any(map(any, pads(attributes["padding"], spatial)))
        and set(per_dimension(attributes.get("dilation", 1), spatial, "dilation")) == {1}
        and not attributes["ceil_mode"]
        and attributes.get("divisor") is None
    )
    if not rest:
        names = ("kernel", "padding", "dilation", "ceil_mode", "divisor")
        given = {name: attributes[name] for name in names if name in attributes}
        accepted = "kernel and divisor null, no padding, dilation or ceil_mode"
        raise ModelError.of("adaptive windows follow from output_size alone", given, accepted)


def reshape(x: Shape, wanted: Sequence[int]) -> Shape:
    """Return the new shape: 0 in front keeps the batch, one -1 is worked out."""
    accepted = "sizes of the same number of elements; 0 only in front, one -1"
    if not wanted or 0 in wanted[1:] or list(wanted).count(-1) > 1 or not x:
        raise ModelError.of("shape must describe the same elements", list(wanted), accepted)
    symbolic = x[0] == -1
    if symbolic and wanted[0] not in (0, -1):
        raise ModelError.of("shape must keep the batch in front", list(wanted), "0 or -1 in front")
    total = math.prod(x[1:] if symbolic else x)
    head: Shape = ()
    rest = list(wanted)
    if symbolic:
        head, rest = (-1,), rest[1:]
    elif rest[0] == 0:
        rest[0] = x[0]
    known = math.prod(size for size in rest if size != -1)
    if total % known or (-1 not in rest and known != total):
        raise ModelError.of(
            "shape must describe the same elements", list(wanted), f"{total} per sample"
        )
    return (*head, *(total // known if size == -1 else size for size in rest))


def permute(x: Shape, dims: Sequence[int]) -> Shape:
    """Return the permuted shape; a symbolic batch stays in front."""
    if sorted(dims) != list(range(len(x))):
        raise ModelError.of(
            "dims must be a permutation", list(dims), f"each of 0..{len(x) - 1} once"
        )
    if x and x[0] == -1 and dims[0] != 0:
        raise ModelError("dims must keep the batch in front", accepted="dims[0] = 0")
    return tuple(x[axis] for axis in dims)

"""How a correlation is cut into bands of output rows, and what a band needs of the workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from hw_models.products.geometry import Geometry

_PIXELS: Final = 240  # of a band, about: their sums of one block stay in the first cache
_COPIED: Final = 96 << 10  # bytes of a band's input: it stays in the second
_SLACK: Final = 64  # bytes that a vector may read past the last code
_LINE: Final = 64


class Window(NamedTuple):
    """Sizes of a correlation: images, input, channels, output."""

    images: int
    height: int
    width: int
    channels: int
    rows: int
    columns: int


def _line(size: int) -> int:
    return -(-size // _LINE) * _LINE


def bands(window: Window, geometry: Geometry, item: int, widest: int) -> tuple[dict[int, int], int]:
    """Return the words of a descriptor that say how to cut, and the bytes of the workspace.

    Args:
        window: sizes.
        geometry: taps and steps.
        item: bytes of a copied code.
        widest: channels of the widest block.
    """
    from hw_models.compiled.instructions import MATRIX
    from hw_models.stream import fields as f
    from hw_models.stream.matrix import PANEL
    from hw_models.stream.tiles import padded

    # One tap in each direction: only the rows and columns that it meets are copied.
    gather = geometry.kernel == (1, 1)
    stride = (1, 1) if gather else geometry.stride
    reach = [d * (k - 1) + 1 for d, k in zip(geometry.dilation, geometry.kernel, strict=True)]
    columns = (window.columns - 1) * stride[1] + reach[1]
    row = columns * window.channels * item

    def copied(rows: int) -> int:
        return ((rows - 1) * stride[0] + reach[0]) * row

    rows = min(window.rows, max(1, _PIXELS // window.columns))
    while rows > 1 and copied(rows) > _COPIED:
        rows -= 1
    rows = -(-window.rows // -(-window.rows // rows))
    images = 1
    if rows == window.rows:
        area = window.rows * window.columns
        images = max(1, min(window.images, _PIXELS // area, _COPIED // copied(rows)))
    per_image = -(-window.rows // rows)
    count = -(-window.images // images) if per_image == 1 else window.images * per_image
    pixels = padded(images * rows * window.columns)
    bases = _line(images * copied(rows) + _SLACK)
    sums = bases + _line(pixels * 8)
    tail = sums + _line(pixels * widest * 4)
    words = {
        f.N: window.images, f.H: window.height, f.W: window.width, f.C: window.channels,
        f.OH: window.rows, f.OW: window.columns,
        f.TOP: geometry.padding[0][0], f.LEFT: geometry.padding[1][0],
        f.ROW_STRIDE: geometry.stride[0], f.COLUMN_STRIDE: geometry.stride[1],
        f.ROW_STEP: geometry.stride[0] if gather else 1,
        f.COLUMN_STEP: geometry.stride[1] if gather else 1,
        f.REACH: reach[0], f.COLUMNS: columns, f.OUT_ROW: stride[0], f.OUT_COLUMN: stride[1],
        f.ROWS: rows, f.IMAGES: images, f.BANDS: count,
        f.BASES: bases, f.SUMS: sums, f.TAIL: tail,
    }  # fmt: skip
    end = tail + _line(pixels * 16)
    return words | {f.PANEL: end}, end + (PANEL if MATRIX else 0)

"""The picture of a Trace: one panel per layer, its codes against the format that holds them."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.atomic import write_bytes
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from qsim.network.trace import Entry, Trace
    from qsim.program import Array

COLUMNS: Final = 4
BINS: Final = 64
INK, CODES, EDGE, ROOM, OVER = "#22303c", "#4c8dae", "#d1495b", "#dfe6eb", "#d1495b"
# Calls that only move codes have nothing of their own to show.
_MOVES: Final = frozenset({"reshape", "permute"})


@dataclass(frozen=True, slots=True)
class Panel:
    """One layer: the entries of its calls; the last one made the codes that are drawn."""

    title: str
    entries: tuple[Entry, ...]

    @property
    def last(self) -> Entry:
        """The call that made the layer's output."""
        return self.entries[-1]


def panels(entries: Sequence[Entry]) -> list[Panel]:
    """Group the calls of a run by layer, in order: calls are named ``<anchor>.<primitive>``."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.call.rsplit(".", 1)[0], []).append(entry)
    shown = [g for g in groups.values() if any(e.primitive not in _MOVES for e in g)]
    return [Panel(g[0].layer or g[0].call.rsplit(".", 1)[0], tuple(g)) for g in shown]


def plot_trace(trace: Trace, path: str | PathLike[str] | None = None) -> Figure:
    """Draw a trace; see :meth:`qsim.network.trace.Trace.plot`. Leaves no state of pyplot behind."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = panels(trace.ledger)
    columns = max(1, min(COLUMNS, len(drawn)))
    rows = max(1, math.ceil(len(drawn) / columns))
    figure = Figure(figsize=(3.4 * columns, 2.3 * rows + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    batch = f"{trace.batch} sample{'' if trace.batch == 1 else 's'}"
    text = f"Codes of every layer, {batch} (share of codes; red: the ends of the format)"
    figure.suptitle(text, fontsize=10, color=INK, x=0.01, ha="left")
    for number, panel in enumerate(drawn):
        axes = figure.add_subplot(rows, columns, number + 1)
        _draw(axes, panel, trace.tensors[panel.last.tensor])
    if path is not None:
        _save(figure, path)
    return figure


def _save(figure: Figure, path: str | PathLike[str]) -> None:
    kinds = figure.canvas.get_supported_filetypes()
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in kinds:
        raise UsageError(
            f"there is no picture of kind {suffix!r}", where=str(path), accepted=", ".join(kinds)
        )
    data = io.BytesIO()
    figure.savefig(data, format=suffix, dpi=150)
    write_bytes(path, data.getvalue())


def histogram(codes: Array, low: int, high: int) -> tuple[Array, Array]:
    """Return counts and bin edges over low..high: whole codes per bin, at most 64 bins."""
    span = high - low + 1
    width = max(1, math.ceil(span / BINS))
    edges = np.arange(low, high + 1 + width, width, dtype=np.float64) - 0.5
    counts, _ = np.histogram(codes, bins=edges)
    return counts, edges


def spread(values: Array) -> tuple[float, float, Array, Array]:
    """Return the ends of float32 values, counts and bin edges; what is not finite is left out."""
    finite = values[np.isfinite(values)].astype(np.float64)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(finite, bins=BINS, range=(low, high))
    return low, high, counts, edges


def _draw(axes: Axes, panel: Panel, codes: Array) -> None:
    from matplotlib.ticker import PercentFormatter

    from hw_models import FixedFormat

    entry = panel.last
    form = entry.spec.format
    low: float
    high: float
    if isinstance(form, FixedFormat):
        low, high, step = form.min, form.max, 1.0
        counts, edges = histogram(codes, form.min, form.max)
    else:
        low, high, counts, edges = spread(codes)
        step = 0.0
    share = counts / max(1, codes.size)
    middle, width = (edges[:-1] + edges[1:]) / 2, edges[1] - edges[0]
    axes.bar(middle, share, width=width * 0.92, color=CODES, linewidth=0)
    # Square roots of the shares: a peak at the real 0 would hide everything else.
    axes.set_yscale("function", functions=(_signed_sqrt, _signed_square))
    top = max(float(share.max(initial=0.0)), 1e-9) * 1.3
    for code, side in ((low, "left"), (high, "right")) if step else ():
        _mark_edge(axes, code, side, float(np.count_nonzero(codes == code)) / max(1, codes.size))
    axes.axvline(entry.spec.zero_point, color=INK, linewidth=0.7, linestyle=":")
    pad = (high - low + step) * 0.02 + step / 2
    axes.set(xlim=(low - pad, high + pad), ylim=(0, top))
    axes.set_xticks(sorted({low, entry.spec.zero_point, high}))
    axes.set_yticks([0, top / 16, top / 4, top / 1.3])
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0 if top > 0.3 else 1))
    axes.tick_params(labelsize=7, colors=INK, length=2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_title(
        panel.title if len(panel.title) <= 30 else f"…{panel.title[-29:]}",
        fontsize=9,
        color=INK,
        loc="left",
        y=1.1,
        pad=0,
    )
    _draw_bits(axes, panel)


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "<0.1%"


def _signed_sqrt(values: Array) -> Array:
    result: Array = np.sign(values) * np.sqrt(np.abs(values))
    return result


def _signed_square(values: Array) -> Array:
    result: Array = np.sign(values) * np.square(values)
    return result


def _mark_edge(axes: Axes, code: float, side: Any, share: float) -> None:
    """Mark an end of the format; what sits there may have been saturated."""
    axes.axvline(code, color=EDGE, linewidth=0.9, alpha=0.9 if share else 0.35)
    if share:
        axes.annotate(
            _percent(share),
            (code, 0.97),
            xycoords=("data", "axes fraction"),
            xytext=(2 if side == "left" else -2, 0),
            textcoords="offset points",
            ha=side,
            va="top",
            fontsize=7,
            color=EDGE,
        )


def _draw_bits(axes: Axes, panel: Panel) -> None:
    """Draw how much of the tightest register was used, above the panel."""
    registers = [register for e in panel.entries for register in e.ledger.registers]
    if not registers:
        _note(axes, panel.last.primitive, INK)
        return
    tight = min(registers, key=lambda register: register.bits - register.bits_used)
    width, used = tight.bits, tight.bits_used
    overflows = sum(register.overflows for register in registers)
    bar = axes.inset_axes((0.0, 1.03, 0.36, 0.045))
    bar.barh([0], [1], color=ROOM)
    bar.barh([0], [min(1.0, used / width)], color=OVER if overflows else CODES)
    bar.set(xlim=(0, 1))
    bar.axis("off")
    text = f"{tight.name} {used} of {width} bits"
    clamped = sum(e.ledger.clamped for e in panel.entries) / max(1, panel.last.ledger.elements)
    if clamped:
        text = f"{text}, {_percent(clamped)} clamped"
    if overflows:
        text = f"{overflows} overflows: {used} bits needed, {width} there"
    _note(axes, text, OVER if overflows else INK, x=0.39)


def _note(axes: Axes, text: str, color: str, x: float = 0.0) -> None:
    axes.text(x, 1.02, text, transform=axes.transAxes, fontsize=7, color=color, va="bottom")

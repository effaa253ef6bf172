"""The picture of a memory: addresses over steps, one rectangle for each tensor."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qsim.atomic import write_bytes
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from qsim.stream.allocation import Allocation, Place

KINDS: Final = (".png", ".svg")
INK, EDGE, LIMIT = "#22303c", "#ffffff", "#d1495b"
OWN, TAKEN, OUTSIDE, PART = "#4c8dae", "#8fbf9f", "#b8c4cc", "#e0b862"
_WIDTH: Final = 11.0  # inches
_HEIGHT: Final = 4.6
_LETTER: Final = 0.075  # inches that a letter of a label takes
_LINE: Final = 0.13


def check_picture(path: str | PathLike[str]) -> None:
    """Refuse a name of another kind of picture.

    Raises:
        UsageError: it ends in neither .png nor .svg.
    """
    if Path(path).suffix.lower() not in KINDS:
        raise UsageError(
            "a picture of the memory cannot be of this kind",
            where=str(path),
            accepted="a name that ends in .png or .svg",
        )


def plot_memory(
    allocations: Mapping[str, Allocation], path: str | PathLike[str] | None = None
) -> Figure:
    """Draw the memory of Programs, one below the other; leaves no global state of pyplot behind.

    Args:
        allocations: by the Program's name.
        path: a .png or .svg file to write; None writes none.

    Raises:
        UsageError: another kind of file, or it cannot be written.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if path is not None:
        check_picture(path)
    rows = max(1, len(allocations))
    figure = Figure(figsize=(_WIDTH, _HEIGHT * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for number, (name, allocation) in enumerate(allocations.items()):
        _draw(figure.add_subplot(rows, 1, number + 1), name, allocation)
    if path is not None:
        kind = Path(path).suffix.lower().removeprefix(".")
        data = io.BytesIO()
        # The same network gives the same bytes.
        metadata: Any = {"Date": None} if kind == "svg" else {}
        with mpl.rc_context({"svg.hashsalt": "qsim"}):
            figure.savefig(data, format=kind, dpi=150, metadata=metadata)
        write_bytes(path, data.getvalue())
    return figure


def _draw(axes: Axes, name: str, allocation: Allocation) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    plan, steps = allocation.plan, allocation.steps
    top = max(1, plan.size)
    axes.set(xlim=(-0.5, len(steps) - 0.5), ylim=(0, top * 1.04))
    inches = (_WIDTH - 1.2) / max(1, len(steps)), (_HEIGHT - 1.0) / (top * 1.04)
    # Parts last: they lie on what they are parts of.
    places = sorted(allocation.places(), key=lambda place: bool(place.within))
    lost = {place.instead for place in places}
    for place in places:
        # What takes over an operand's place shares the step with it: half is each one's.
        start = place.first if place.instead else place.first - 0.5
        stop = place.last if place.tensor in lost else place.last + 0.5
        color = TAKEN if place.instead else OWN if steps[place.first].calls else OUTSIDE
        color = PART if place.within else color
        _rectangle(axes, place, (start, stop - start), color, inches)
    legend = "blue: a place of its own; green: its operand's; yellow: a part; grey: inputs"
    bank = plan.space.bank_bytes
    if bank is not None:
        legend += "; dashed: banks"
        for start in range(bank, top + 1, bank):
            axes.axhline(start, color=LIMIT, linewidth=0.9, linestyle="--")
    if plan.bound < plan.size:
        axes.axhline(plan.bound, color=INK, linewidth=0.8, linestyle=":")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("step", fontsize=8, color=INK)
    axes.set_ylabel("address in bytes", fontsize=8, color=INK)
    axes.tick_params(labelsize=7, colors=INK, length=2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_title(
        f"{name}: {plan.size:,} bytes; at most {plan.bound:,} live at once   ({legend})",
        fontsize=9, color=INK, loc="left",
    )  # fmt: skip


def _rectangle(
    axes: Axes,
    place: Place,
    span: tuple[float, float],
    color: str,
    inches: tuple[float, float],
) -> None:
    """Draw a tensor over the steps in which it lives, with its name where there is room for it.

    Args:
        axes: to draw on.
        place: the tensor's.
        span: where it starts and how long it lives, in steps.
        color: of the rectangle.
        inches: a step and a byte in the picture.
    """
    from matplotlib.patches import Rectangle

    start, width = span
    corner = start, place.offset
    axes.add_patch(
        Rectangle(corner, width, place.size, linewidth=0.8, edgecolor=EDGE, facecolor=color)
    )
    wide, high, long = width * inches[0], place.size * inches[1], len(place.tensor) * _LETTER
    middle = start + width / 2, place.offset + place.size / 2
    for along, across, rotation in ((wide, high, 0), (high, wide, 90)):
        if along >= long and across >= _LINE:
            axes.text(
                *middle, place.tensor, ha="center", va="center", rotation=rotation,
                fontsize=6.5, color=INK,
            )  # fmt: skip
            break

"""The report of a run as text for a terminal: never wider than it is asked to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from qsim.report import words
from qsim.report.details import output_table, register_table
from qsim.report.host_words import host_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

    from qsim.report.result import Evaluation, Layer


@dataclass(frozen=True)
class _Column:
    """A column of the layer table; ``rank`` says how soon it is given up for want of width."""

    title: str
    rank: int
    cell: Callable[[Layer], str]
    total: Callable[[Sequence[Layer]], str] = lambda _layers: ""
    right: bool = True


_GAP: Final = 2
_LEAST_NAME: Final = 12
_COLUMNS: Final = (
    _Column("primitive", 3, lambda layer: layer.primitive, right=False),
    _Column("shape", 4, lambda layer: words.dimensions(layer.shape)),
    _Column(
        "MACs",
        5,
        lambda layer: words.compact(layer.macs) if layer.macs else words.NONE,
        lambda layers: words.compact(sum(layer.macs for layer in layers)),
    ),
    _Column("SQNR dB", 9, lambda layer: words.decibel(layer.sqnr_db)),
    _Column(
        "max LSB",
        8,
        lambda layer: words.count(layer.lsb_max) if layer.has_qdq else words.NONE,
        lambda layers: words.count(max((x.lsb_max for x in layers if x.has_qdq), default=None)),
    ),
    _Column(
        "differing",
        7,
        lambda layer: words.count(layer.lsb_differing) if layer.has_qdq else words.NONE,
        lambda layers: (
            words.count(sum(x.lsb_differing for x in layers))
            if any(x.has_qdq for x in layers)
            else words.NONE
        ),
    ),
    _Column("acc bits", 6, words.bits),
    _Column(
        "overflows",
        10,
        lambda layer: words.count(layer.overflows) if layer.accumulators else words.NONE,
        lambda layers: words.count(sum(layer.overflows for layer in layers)),
    ),
    _Column("clamped", 2, lambda layer: words.share(layer.clamped, layer.elements)),
)
_PATH: Final = _Column("kernel", 1, lambda layer: layer.path or words.NONE, right=False)


def headline(model: str, target: Any, columns: int) -> Text:
    """Return the first line: model, target, hash, the real system, cut to the width."""
    text = Text(no_wrap=True, overflow="ellipsis", end="")
    name, least = str(target.name), max(12, columns // 3)
    # A hash is shortened or left out, never cut somewhere: what is shown can be searched for.
    room = columns - len(f" on {name}")
    digits = next((d for d in (16, 8) if room - len(f" sha256:{'0' * d}") >= min(least, 12)), 0)
    shown = f" {short_hash(target.hash, digits)}" if digits else ""
    text.append(words.tail(model, max(8, min(least, room - len(shown)))), style="bold")
    text.append(" on ")
    text.append(name, style="bold")
    text.append(shown, style="cyan")
    reproduces = " ".join(str(getattr(target, "reproduces", "")).split())
    if reproduces and columns - len(text) >= _LEAST_NAME:
        text.append(f" · {reproduces}", style="dim")
    text.truncate(columns, overflow="ellipsis")
    return text


def short_hash(value: str, length: int = 16) -> str:
    """Return ``sha256:`` and the first hexadecimal digits."""
    head, _, digits = value.rpartition(":")
    return f"{head}:{digits[:length]}" if head else digits[:length]


def run_report(
    evaluation: Evaluation, *, source: str, columns: int, verbose: bool = False
) -> list[RenderableType]:
    """Return the report of ``qsim run`` below its first line.

    Args:
        evaluation: what was measured.
        source: what the samples are, in words.
        columns: the width not to exceed, 40 or more.
        verbose: also show layers that only move data, and the kernel of each.
    """
    layers = [layer for layer in evaluation.layers if verbose or not layer.shape_only]
    parts: list[RenderableType] = [
        Text(source, style="dim"),
        Text(words.took(evaluation), style="dim"),
        Text(),
        _scores(evaluation),
        _on_accelerator(evaluation),
    ]
    if not evaluation.classification or len(evaluation.outputs) > 1:
        parts += output_table(evaluation.outputs, columns)
    if layers:
        parts += [_layer_table(layers, columns, verbose=verbose)]
        if any(layer.has_qdq for layer in layers):
            parts.append(_note(words.NO_ORACLE, "dim"))
        if verbose:
            parts += register_table(layers, columns)
    else:
        parts += [Text(), _note(words.nothing(evaluation), "yellow")]
    if evaluation.layers and not evaluation.host_operators:
        parts.append(_note("Everything runs on the accelerator; no host operators."))
    if evaluation.host_operators:
        number = words.plural(len(evaluation.host_operators), "operator")
        parts.append(_note(f"{number} on the host, in torch, by reason:"))
        parts += host_parts(evaluation.host_reasons, evaluation.macs.total)
    if layers:
        parts.append(_note(f"Kernels: {words.kernels(layers)}."))
    for what, value in (
        ("Network", evaluation.network_sha256),
        ("Output", evaluation.outputs_sha256),
    ):
        digest = Text(f"{what} sha256:{value}", no_wrap=True, overflow="ellipsis")
        parts.append(Padding(digest, (0, 0, 0, 2)))
    parts += [_note(finding, "bold yellow") for finding in words.findings(evaluation)]
    return parts


def _note(text: str, style: str = "") -> Padding:
    return Padding(Text(text, style=style), (0, 0, 0, 2))


def _scores(evaluation: Evaluation) -> Text:
    text = Text("  ")
    if evaluation.random:
        return text.append("random samples: nothing to score", style="dim")
    if not evaluation.scores:
        none = "no labels and no float graph: nothing to score against"
        if not evaluation.classification and any(use.compared for use in evaluation.outputs):
            none = "no classification: what each output is worth stands below"
        return text.append(none, style="dim")
    title = "accuracy" if evaluation.labelled else "argmax agrees with float"
    text.append(f"{title}  ", style="bold")
    for name, value in evaluation.scores.items():
        text.append(f"  {words.GRAPHS[name]} ")
        text.append(words.percent(value), style="bold green" if name == "hardware" else "bold")
    return text


def _on_accelerator(evaluation: Evaluation) -> Text:
    return (
        Text("  ").append("accelerator", style="bold").append(f"    {words.placement(evaluation)}")
    )


def delegate_layers(
    layers: Sequence[tuple[int, Layer]], columns: int, *, watched: bool
) -> RenderableType:
    """Return the table of the layers of an ExecuTorch program's delegates.

    Args:
        layers: with the index of the delegate.
        columns: the width not to exceed, 40 or more.
        watched: whether the run watched accumulators and output ranges.
    """
    shown = ("primitive", "shape", "MACs")
    titles = (*shown, "acc bits", "overflows", "clamped") if watched else shown
    chosen = [column for column in _COLUMNS if column.title in titles]
    if not watched:
        chosen.append(_Column("acc bits", 6, _declared_bits))
    if len({index for index, _ in layers}) > 1:
        owners = {id(layer): str(index) for index, layer in layers}
        chosen.insert(0, _Column("delegate", 7, lambda layer: owners[id(layer)]))
    return _table([layer for _, layer in layers], chosen, columns)


def _declared_bits(layer: Layer) -> str:
    tight = layer.accumulator
    return words.NONE if tight is None else str(tight.bits)


def _layer_table(layers: Sequence[Layer], columns: int, *, verbose: bool) -> Table:
    return _table(layers, [*_COLUMNS, _PATH] if verbose else list(_COLUMNS), columns)


def _table(layers: Sequence[Layer], candidates: list[_Column], columns: int) -> Table:
    chosen = _fit(candidates, layers, columns)
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), show_footer=True)
    used = sum(_width(column, layers) + _GAP for column in chosen) + 2 * _GAP
    longest = max(len("total"), *(len(layer.name) for layer in layers))
    room = max(_LEAST_NAME, min(longest, columns - used))
    table.add_column("layer", footer="total", no_wrap=True, header_style="bold")
    for column in chosen:
        table.add_column(
            column.title,
            footer=column.total(layers),
            justify="right" if column.right else "left",
            no_wrap=True,
            header_style="bold",
        )
    for layer in layers:
        style = "yellow" if layer.overflows else ""
        # Text: rich would take a "[0]" in a plain string for markup.
        cells = [words.tail(layer.name, room), *(column.cell(layer) for column in chosen)]
        table.add_row(*map(Text, cells), style=style)
    return table


def _width(column: _Column, layers: Sequence[Layer]) -> int:
    cells = [column.title, column.total(layers), *(column.cell(layer) for layer in layers)]
    return max(map(len, cells))


def _fit(candidates: list[_Column], layers: Sequence[Layer], columns: int) -> list[_Column]:
    """Give up columns, the least important first, until the rest and a short name fit."""
    kept = list(candidates)
    longest = max(_LEAST_NAME, *(len(layer.name) for layer in layers))
    name = min(longest, max(_LEAST_NAME, 20))
    while kept and name + 2 * _GAP + sum(_width(c, layers) + _GAP for c in kept) > columns:
        kept.remove(min(kept, key=lambda column: column.rank))
    return kept

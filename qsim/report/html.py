"""The report of a run as one self-contained HTML page: no scripts, no fonts, nothing to fetch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qsim.report import words
from qsim.report.details import output_cells, register_rows
from qsim.report.host_words import fold
from qsim.report.table import short_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.report.placement import HostGroup
    from qsim.report.result import Evaluation, Layer
    from qsim.target import Target

_ROW: Final = 24
_BAR: Final = 200


@dataclass(frozen=True)
class Bar:
    """One bar of the chart, in pixels, and what stands beside it.

    Attributes:
        length: of the bar.
        track: of the outline behind it: what was available; 0 for none.
        text: the value.
        alarm: whether the layer overflowed.
    """

    length: float
    track: float
    text: str
    alarm: bool = False


@dataclass(frozen=True)
class Row:
    """One layer in the chart and in the table."""

    y: int
    name: str
    label: str
    layer: Layer
    cells: tuple[str, ...]
    bars: tuple[Bar, Bar, Bar]


def render_html(evaluation: Evaluation, target: Target, source: str, command: str = "") -> str:
    """Return the page.

    Args:
        evaluation: what was measured.
        target: the contract it was measured on; printed in full.
        source: what the samples are, in words.
        command: how to run it again; empty to leave that out.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    import qsim

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    layers = [layer for layer in evaluation.layers if not layer.shape_only]
    return environment.get_template("report.html").render(
        version=qsim.__version__,
        evaluation=evaluation,
        target=target,
        short_hash=short_hash(target.hash),
        source=source,
        command=command,
        cards=_cards(evaluation, layers),
        findings=words.findings(evaluation),
        nothing=words.nothing(evaluation),
        took=words.took(evaluation),
        reasons=_reasons(evaluation),
        no_oracle=words.NO_ORACLE,
        registers=register_rows(evaluation.layers),
        outputs=[output_cells(use) for use in evaluation.outputs],
        compared=any(use.compared for use in evaluation.outputs),
        rows=_rows(layers, judged=not evaluation.random),
        chart_height=_ROW * len(layers) + 44,
        kernels=words.kernels(layers),
        contract=_contract(target),
    )


def _reasons(evaluation: Evaluation) -> list[tuple[HostGroup, str, list[str]]]:
    """Return each reason, its share of the multiply-accumulates, and its layers."""
    total = evaluation.macs.total
    return [
        (
            group,
            words.NONE if group.macs is None else words.share(group.macs, total),
            fold(group.layers),
        )
        for group in evaluation.host_reasons
    ]


def _cards(evaluation: Evaluation, layers: Sequence[Layer]) -> list[tuple[str, str, str]]:
    """Return (title, value, note) of the figures at the top."""
    note = "accuracy" if evaluation.labelled else "argmax agrees with float"
    cards = [
        (words.GRAPHS[name], words.percent(value), note)
        for name, value in evaluation.scores.items()
    ]
    overflowed = sum(1 for layer in layers if layer.overflows)
    macs, operators = evaluation.macs, evaluation.operators
    return [
        *cards,
        ("samples", words.count(evaluation.samples), "run through every graph"),
        ("MACs", words.compact(macs.total), "per sample, host included"),
        (
            "on the accelerator",
            words.percent(macs.fraction),
            f"of the MACs; {operators.accelerator:,} of {operators.total:,} operators",
        ),
        ("overflows", f"{overflowed}/{len(layers)}", "layers that overflowed"),
    ]


def _rows(layers: Sequence[Layer], *, judged: bool) -> list[Row]:
    decibels = [
        layer.sqnr_db
        for layer in layers
        if layer.sqnr_db is not None and math.isfinite(layer.sqnr_db)
    ]
    most_db = max([*decibels, 1.0])
    uses = [use for layer in layers for use in layer.accumulators]
    most_bits = max((max(use.bits, use.bits_used) for use in uses), default=1)
    shares = [layer.lsb_differing / max(layer.elements, 1) for layer in layers]
    most_share = max([*shares, 1e-9])
    return [
        Row(
            y=36 + _ROW * index,
            name=layer.name,
            label=words.tail(layer.name, 26),
            layer=layer,
            cells=_cells(layer),
            bars=(
                _sqnr_bar(layer, most_db, judged=judged),
                _bits_bar(layer, most_bits),
                _share_bar(layer, share, most_share),
            ),
        )
        for index, (layer, share) in enumerate(zip(layers, shares, strict=True))
    ]


def _sqnr_bar(layer: Layer, most: float, *, judged: bool) -> Bar:
    value = layer.sqnr_db
    if value is None:
        return Bar(0, 0, words.NONE)
    length = _BAR if value == math.inf else _BAR * max(0.0, value) / most
    return Bar(length, 0, words.decibel(value), judged and value < words.LOW_SQNR_DB)


def _bits_bar(layer: Layer, most: int) -> Bar:
    tight = layer.accumulator
    if tight is None:
        return Bar(0, 0, words.NONE)
    return Bar(
        _BAR * tight.bits_used / most,
        _BAR * tight.bits / most,
        words.bits(layer),
        layer.overflows > 0,
    )


def _share_bar(layer: Layer, share: float, most: float) -> Bar:
    if not layer.has_qdq:
        return Bar(0, 0, words.NONE)
    text = "0" if not layer.lsb_differing else words.share(layer.lsb_differing, layer.elements)
    return Bar(_BAR * share / most, 0, text)


def _cells(layer: Layer) -> tuple[str, ...]:
    return (
        layer.primitive,
        words.dimensions(layer.shape),
        words.count(layer.macs) if layer.macs else words.NONE,
        words.decibel(layer.sqnr_db),
        words.count(layer.lsb_max) if layer.has_qdq else words.NONE,
        words.count(layer.lsb_differing) if layer.has_qdq else words.NONE,
        words.bits(layer),
        words.count(layer.overflows) if layer.accumulators else words.NONE,
        words.count(layer.clamped),
        layer.path or words.NONE,
    )


def _contract(target: Target) -> list[tuple[str, str, str]]:
    """Return (section, field, value) of every field of the target."""
    rows = []
    for section, values in target.to_dict().items():
        if isinstance(values, dict):
            rows += [(section, field, _toml(value)) for field, value in values.items()]
    return rows


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

"""Functional coverage as text: what the beats reached, and what they missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from qsim.cli.listing import add_row, plain_table
from qsim.report import count, plural

if TYPE_CHECKING:
    from rich.console import RenderableType

    from qsim.cosim import Coverage, Report


def coverage_parts(report: Report) -> list[RenderableType]:
    """Return the coverage of each primitive."""
    parts: list[RenderableType] = []
    for coverage in report.coverage:
        parts += _bins(coverage, report.lane)
        if coverage.ports:
            parts += _ports(coverage)
    return parts


def _bins(coverage: Coverage, lane: str) -> list[RenderableType]:
    name = coverage.primitive
    if not coverage.bins:
        return [Text(f"Coverage of {name}: nobody has said what is to be covered.", "bold")]
    table = plain_table("bin", "beats", "")
    table.columns[1].justify = "right"
    for each, hits in coverage.bins.items():
        impossible = coverage.impossible.get(each, "")
        said = impossible and f"cannot be: {impossible}"
        if not hits and not impossible:
            said = "not hit"
        add_row(table, each, count(hits), Text(said, "bold red" if said == "not hit" else ""))
    for each, hits in coverage.stalls.items():
        add_row(table, each, count(hits), "cycles" if hits else "cycles; see --stall")
    reached = sum(1 for hits in coverage.bins.values() if hits)
    possible = len(coverage.bins) - len(coverage.impossible)
    title = f"Coverage of {name}: {reached} of {plural(possible, 'bin')} hit"
    if not coverage.stalls:
        title += f"; lane {lane} counts no stalls (--lane cocotb does)"
    return [Text(f"{title}.", "bold"), table]


def _ports(coverage: Coverage) -> list[RenderableType]:
    table = plain_table("operand", "port", "least", "greatest", "bits that never change")
    for column in table.columns[2:4]:
        column.justify = "right"
    for name, seen in coverage.ports.items():
        constant = seen.constant
        said = ", ".join(map(str, constant)) if constant else "none"
        add_row(table, name, ", ".join(seen.ports), str(seen.low), str(seen.high), said)
    return [Text(f"Ports of {coverage.primitive}:", "bold"), table]

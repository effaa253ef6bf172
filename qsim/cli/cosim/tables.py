"""What a co-simulation found, as text: a table of calls, then every difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from qsim.cli.cosim.coverage import coverage_parts
from qsim.cli.listing import add_row, plain_table
from qsim.report import count, plural

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from qsim.cosim import CallResult, Report

_MOST_WARNINGS = 20
_MOST_TOLD = 8  # calls whose differences are printed in full


def report_parts(report: Report, columns: int) -> list[RenderableType]:
    """Return the report for a terminal of so many columns."""
    parts: list[RenderableType] = [_headline(report, columns), _table(report)]
    if report.skipped:
        parts += _skipped(report)
    if report.left_out:
        parts += _left_out(report)
    for call in report.differing[:_MOST_TOLD]:
        parts += _difference(call)
    if len(report.differing) > _MOST_TOLD:
        parts.append(Text(f"{len(report.differing) - _MOST_TOLD} more calls differ; see --json."))
    parts += _warnings(report)
    parts += coverage_parts(report)
    parts.append(_verdict(report))
    return parts


def _headline(report: Report, columns: int) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(report.source, "bold")
    text.append(
        f" on {report.simulator} {report.version} ({report.lane})"
        + (f", {report.target.name} {report.target.short_hash}" if report.target else "")
    )
    text.truncate(columns, overflow="ellipsis")
    return text


def _table(report: Report) -> Table:
    table = plain_table("layer", "primitive", "elements", "cycles", "mismatches", "time")
    for column in table.columns[2:]:
        column.justify = "right"
    table.columns[0].no_wrap, table.columns[0].overflow = True, "ellipsis"
    for call in report.calls:
        wrong = Text(_mismatches(call), "" if call.agrees else "bold red")
        name = call.layer or call.name
        add_row(
            table,
            name,
            call.primitive,
            count(call.elements),
            count(call.cycles),
            wrong,
            _seconds(call.seconds),
        )
    cycles = sum(call.cycles for call in report.calls)
    seconds = sum(call.seconds for call in report.calls)
    table.add_section()
    cells = (count(report.elements), count(cycles), count(report.mismatches), _seconds(seconds))
    add_row(table, Text(plural(len(report.calls), "call"), "bold"), "", *cells)
    return table


def _mismatches(call: CallResult) -> str:
    if call.mismatches or not call.problems:
        return count(call.mismatches)
    return "see below"


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _skipped(report: Report) -> list[RenderableType]:
    """Return the calls that no RTL computed, by reason."""
    reasons = dict.fromkeys(each.reason for each in report.skipped)
    parts: list[RenderableType] = [Text("Not simulated:", "bold")]
    for reason in reasons:
        names = [each.layer or each.name for each in report.skipped if each.reason == reason]
        shown = ", ".join(dict.fromkeys(names))
        parts.append(Text(f"  {plural(len(names), 'call')}: {reason} ({shown})"))
    return parts


def _left_out(report: Report) -> list[RenderableType]:
    """Return the elements that the design cannot be given, by reason."""
    counts: dict[str, int] = {}
    names: dict[str, list[str]] = {}
    for call in report.calls:
        for each in call.left_out:
            counts[each.reason] = counts.get(each.reason, 0) + each.elements
            names.setdefault(each.reason, []).append(call.layer or call.name)
    parts: list[RenderableType] = [Text("Left out, for the design cannot take them:", "bold")]
    for reason, elements in counts.items():
        shown = ", ".join(dict.fromkeys(names[reason]))
        parts.append(Text(f"  {plural(elements, 'element')}: {reason} ({shown})"))
    return parts


def _difference(call: CallResult) -> list[RenderableType]:
    where = f"{call.layer}: " if call.layer else ""
    parts: list[RenderableType] = [Text(f"{where}{call.primitive} {call.name}", "bold red")]
    parts += [Text(f"  {problem}") for problem in call.problems]
    if call.first is not None:
        parts += [Text(f"  {line}") for line in call.first.lines()]
    if call.explanation is not None:
        parts += [Text(f"  {line}") for line in call.explanation.lines()]
    if call.waves is not None:
        parts.append(Text(f"  waves: {call.waves}"))
    return parts


def _warnings(report: Report) -> list[RenderableType]:
    """Return what compilers and the simulator said of a design, the first lines of it."""
    if not report.warnings:
        return []
    parts: list[RenderableType] = [Text(f"{plural(len(report.warnings), 'warning')}:", "bold")]
    parts += [Text(f"  {line}") for line in report.warnings[:_MOST_WARNINGS]]
    if len(report.warnings) > _MOST_WARNINGS:
        parts.append(Text(f"  {len(report.warnings) - _MOST_WARNINGS} more; see --json."))
    return parts


def _verdict(report: Report) -> Text:
    took = f"{report.seconds:.1f} s, of which builds {report.build_seconds:.1f} s"
    without = _without(report)
    if report.ok and not without:
        return Text(f"Every bit agrees: {count(report.elements)} elements in {took}.", "bold green")
    if report.ok:
        said = f"Every bit that was compared agrees: {count(report.elements)} elements in {took}."
        return Text(f"{said}\n{without}", "bold green")
    differ = "differs" if len(report.differing) == 1 else "differ"
    said = (
        f"{len(report.differing)} of {plural(len(report.calls), 'call')} {differ}, "
        f"{plural(report.mismatches, 'element')}; {took}."
    )
    return Text(f"{said}\n{without}".rstrip(), "bold red")


def _without(report: Report) -> str:
    """Return the line that says what was not compared; empty if there is nothing."""
    said = []
    if report.left_out:
        said.append(f"{plural(report.left_out, 'element')} that the design cannot take")
    if report.skipped:
        said.append(plural(len(report.skipped), "call"))
    return f"Not compared: {', '.join(said)}." if said else ""

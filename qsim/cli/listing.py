"""``qsim targets``, ``qsim models`` and ``qsim doctor``: tables of what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from qsim.report import compact

if TYPE_CHECKING:
    from rich.console import RenderableType

    from qsim.cli.output import Output
    from qsim.target import Target


def plain_table(*titles: str, header: bool = True) -> Table:
    """Return an empty table in the style of every listing."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=header)
    for title in titles:
        table.add_column(title, header_style="bold")
    return table


def add_row(table: Table, *cells: str | Text) -> None:
    """Add a row as it stands: rich would take ``[peers]`` in a plain string for markup."""
    table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))


def show_targets(name: str | None, output: Output) -> None:
    """Print the shipped targets, or every field of one.

    Raises:
        TargetError: there is no such target.
    """
    from qsim.target import Target

    if name is not None:
        target = Target.load(name)
        output.text(*target_fields(target))
        said = {"hash": target.hash, "checked": target.checked}
        output.json({"target": target.to_dict() | said})
        return
    loaded = [Target.load(each) for each in Target.names()]
    table = plain_table("target", "hash", "reproduces")
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for target in loaded:
        name_, hash_ = Text(target.name, "bold"), Text(target.short_hash, "cyan")
        add_row(table, name_, hash_, target.reproduces)
    output.text(table, Text("`qsim targets NAME` shows every field.", style="dim"))
    output.json(
        {
            "targets": [
                {"name": each.name, "hash": each.hash, "reproduces": each.reproduces}
                for each in loaded
            ]
        }
    )


def target_fields(target: Target) -> list[RenderableType]:
    """Return the contract of a target, field by field."""
    table = plain_table("section", "field", "value")
    for section, values in target.to_dict().items():
        if not isinstance(values, dict):
            continue
        for index, (field, value) in enumerate(values.items()):
            shown = ", ".join(value) if isinstance(value, list) else plain_value(value)
            add_row(table, Text(section if not index else "", "bold"), field, shown)
    # A line of its own, cut at its end where the terminal is narrow; --json has all of it.
    full = Padding(Text(target.hash, "cyan", no_wrap=True, overflow="ellipsis"), 0)
    parts: list[RenderableType] = [Text(target.name, "bold"), full, Text(target.reproduces)]
    if target.notes:
        parts.append(Text(target.notes, "dim"))
    if target.checked:
        parts.append(Text.assemble(("Compared with: ", "bold"), (target.checked, "dim")))
    return [*parts, table]


def plain_value(value: Any) -> str:
    """Return a value as TOML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def show_models(output: Output) -> None:
    """Print the built-in models."""
    from qsim.models import builtin

    found = builtin()
    table = plain_table("model", "parameters", "extra", "what it is")
    table.columns[1].justify = "right"
    for item in found:
        count = compact(item.parameters)
        add_row(table, Text(item.name, "bold"), count, item.extra, item.description)
    hint = "Your own: `qsim run file.py:factory`; the factory returns (module, example_inputs)."
    output.text(table, Text(hint, style="dim"))
    output.json(
        {
            "models": [
                {
                    "name": item.name,
                    "parameters": item.parameters,
                    "extra": item.extra,
                    "description": item.description,
                }
                for item in found
            ]
        }
    )


def show_doctor(output: Output) -> int:
    """Print what is installed and what is missing; return the exit status."""
    from qsim.doctor import examine, healthy, kernel_cache

    checks = examine()
    table = plain_table("", "what", "found", "note")
    for check in checks:
        mark, style = {
            "ok": ("ok", "green"),
            "missing": ("missing", "bold red"),
            "optional": ("optional", "yellow"),
        }[check.status]
        add_row(table, Text(mark, style), check.name, check.found, check.note)
    ready = healthy(checks)
    verdict = "qsim is ready." if ready else "Something needed is missing; see its note."
    output.text(table, Text(verdict, "bold green" if ready else "bold red"))
    if output.as_json:
        document = {"ok": ready, "checks": [check.to_dict() for check in checks]}
        output.json(document | {"kernel_cache": kernel_cache()})
    return 0 if ready else 3


def show_cleared(output: Output) -> None:
    """Delete the compiled kernels and print what there was.

    Raises:
        UsageError: they cannot be deleted.
    """
    from qsim.doctor import clear_kernels

    done = clear_kernels()
    size = compact(done["bytes"])
    output.text(Text(f"Deleted {done['kernels']} compiled kernels, {size}B: {done['folder']}"))
    output.json({"deleted": done})

"""``qsim targets A B``: the fields in which two targets differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from qsim.cli.listing import add_row, plain_table, plain_value

if TYPE_CHECKING:
    from qsim.cli.output import Output
    from qsim.target import Target

_ABSENT: Final = "-"


def show_difference(first: str, second: str, output: Output) -> int:
    """Print what two targets state differently; return 1 if they do, 0 if they are one datapath.

    Name and descriptions are no part of a datapath, and are not compared.

    Raises:
        TargetError: there is no such target.
    """
    from qsim.target import Target

    a, b = Target.load(first), Target.load(second)
    found = differences(a, b)
    if found:
        table = plain_table("section", "field", a.name, b.name)
        last = ""
        for item in found:
            section = Text(item["section"] if item["section"] != last else "", "bold")
            add_row(table, section, item["field"], *_cells(item["a"], item["b"]))
            last = item["section"]
        count = f"{len(found)} field{'s' if len(found) > 1 else ''}"
        output.text(table, Text(f"{a.name} and {b.name} differ in {count}.", style="dim"))
    else:
        output.text(Text(f"{a.name} and {b.name} are the same datapath: {a.short_hash}"))
    named = {"a": {"name": a.name, "hash": a.hash}, "b": {"name": b.name, "hash": b.hash}}
    output.json({**named, "differences": found})
    return 1 if found else 0


def differences(a: Target, b: Target) -> list[dict[str, Any]]:
    """Return section, field and both values of every field that differs; None: not stated."""
    left, right = _sections(a), _sections(b)
    found = []
    for section in {**left, **right}:
        ours, theirs = left.get(section, {}), right.get(section, {})
        found += [
            {"section": section, "field": field, "a": ours.get(field), "b": theirs.get(field)}
            for field in {**ours, **theirs}
            if ours.get(field) != theirs.get(field)
        ]
    return found


def _sections(target: Target) -> dict[str, dict[str, Any]]:
    return {name: part for name, part in target.to_dict().items() if isinstance(part, dict)}


def _cells(a: Any, b: Any) -> tuple[str, str]:
    """Of two lists of names, what each has alone; all of both where only the order differs."""
    if isinstance(a, list) and isinstance(b, list) and set(a) != set(b):
        return _alone(a, b), _alone(b, a)
    return _cell(a), _cell(b)


def _alone(ours: list[str], theirs: list[str]) -> str:
    names = [name for name in ours if name not in theirs]
    return f"only: {', '.join(names)}" if names else _ABSENT


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return _ABSENT if value is None else plain_value(value)

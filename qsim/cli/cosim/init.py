"""``qsim cosim --init``: a draft of a binding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from qsim.cli.build import DEFAULT_TARGET
from qsim.cli.output import quiet

if TYPE_CHECKING:
    from pathlib import Path

    from qsim.cli.output import Output
    from qsim.cosim.jobs import Unit


@dataclass(frozen=True)
class InitOptions:
    """The options of ``qsim cosim --init``; see ``--help``."""

    sources: tuple[Path, ...]
    top: str | None
    primitive: str | None
    target: str | None
    include: tuple[Path, ...]
    defines: tuple[str, ...]
    output: Path | None


def draft(options: InitOptions, output: Output) -> None:
    """Write a draft and say what was guessed."""
    from qsim.cosim import fields
    from qsim.cosim.dut import init
    from qsim.target import Target

    target = Target.load(options.target or DEFAULT_TARGET)

    def unit(primitive: str) -> Unit:
        return fields(primitive, target).unit

    with quiet(output):
        made = init(
            options.sources,
            unit,
            top=options.top,
            primitive=options.primitive,
            include=options.include,
            defines=options.defines,
            output=options.output,
        )
    parts = [
        Text(f"{made.path}: a draft for {made.top}, {made.primitive} on {target.name}", "bold")
    ]
    if made.primitive == "custom":
        parts = [Text(f"{made.path}: a draft for {made.top}, a block of its own", "bold")]
    parts += [Text("Guessed:"), *(Text(f"  {line}") for line in made.said)]
    if made.todo:
        parts += [Text("To do:", "bold yellow"), *(Text(f"  {line}") for line in made.todo)]
    what = f"qsim cosim {made.primitive} --dut {made.path}"
    if made.primitive == "custom":
        what = f"qsim cosim --dut {made.path} --vectors 1000 --expected FILE.py:FUNCTION"
    elif target.name != DEFAULT_TARGET:
        what += f" --target {target.name}"
    parts.append(Text(f"Then: {what}"))
    output.text(*parts)
    output.json(
        {
            "file": str(made.path),
            "top": made.top,
            "primitive": made.primitive,
            "target": {"name": target.name, "hash": target.hash},
            "guessed": list(made.said),
            "todo": list(made.todo),
        }
    )

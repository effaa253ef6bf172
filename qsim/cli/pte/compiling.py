"""``qsim compile MODEL -o F.pte``: a model as an ExecuTorch program with qsim's delegates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qsim.cli.build import quantized_of
from qsim.cli.output import quiet
from qsim.cli.pte.arguments import bound
from qsim.errors import UsageError
from qsim.report import NONE, by_reason, host_parts, plural

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from qsim.cli.output import Output
    from qsim.cli.pte.opening import Opened
    from qsim.target import Target


@dataclass(frozen=True)
class PteOptions:
    """What only a ``.pte`` has: see ``qsim.executorch.to_edge``."""

    batch: int | None = None
    max_batch: int | None = None
    whole: bool = False

    def given(self) -> list[str]:
        """Return the options that were given."""
        named = {"--batch": self.batch, "--max-batch": self.max_batch, "--whole": self.whole}
        return [name for name, value in named.items() if value not in (None, False)]

    def check(self) -> None:
        """Refuse sizes that no program has, before the model is loaded.

        Raises:
            UsageError: both sizes, or one below 1.
        """
        for name, value in (("--batch", self.batch), ("--max-batch", self.max_batch)):
            if value is not None and value < 1:
                raise UsageError(f"{name} must be at least 1, not {value}", accepted="1 or more")
        if self.batch is not None and self.max_batch is not None:
            raise UsageError("--batch and --max-batch exclude each other", accepted="one of them")


def compile_pte(
    model: str,
    destination: Path,
    target: Target | None,
    config: Path | None,
    output: Output,
    options: PteOptions,
    *,
    quantized_io: bool,
) -> None:
    """Quantize a model, delegate what its target computes, and write the program.

    Raises:
        MissingToolError: ExecuTorch is not installed.
        QsimError: whatever is wrong with the model, the target or the options.
    """
    from qsim.executorch import adapter

    adapter.check()
    with quiet(output):
        quantized, _ = quantized_of(model, target, config, output)
        with output.stage("delegating"):
            from qsim.executorch import to_edge

            edge = to_edge(
                quantized,
                batch=options.batch,
                max_batch=options.max_batch,
                whole=options.whole,
                quantized_io=quantized_io,
            )
            edge.save(destination)
        from qsim.cli.pte.opening import open_program

        # What was written is read again: the figures are the file's.
        opened = open_program(destination, (), None)
    held = quantized.target
    document = {
        "file": str(destination),
        "bytes": destination.stat().st_size,
        "model": model,
        "target": {"name": held.name, "hash": held.hash},
        "calls": sum(part.primitives for part in opened.parts),
        "host_operators": [dict(item) for item in edge.report.host],
        "quantized_io": opened.integer_io,
        "inputs": [str(value) for value in opened.inputs],
        "outputs": [str(value) for value in opened.outputs],
        "delegates": [
            {"name": region.tag, "operators": list(region.operators)}
            for region in edge.report.regions
        ],
    }
    if output.as_json:
        output.json(document)
        return
    output.text(*_text(document | {"takes": _takes(opened)}, options, held))


def _takes(opened: Opened) -> str:
    """Return what a program takes, and in batches of which sizes."""
    args = opened.arguments()
    size, is_open = bound(args)
    batches = f"1 to {size}" if is_open else str(size)
    shapes = ", ".join(str(arg).partition(": ")[2] for arg in args)
    return f"{shapes or NONE} in batches of {batches}"


def _text(document: dict[str, Any], options: PteOptions, target: Target) -> list[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    regions = document["delegates"]
    inside = sum(len(region["operators"]) for region in regions)
    head = (
        f"{document['file']}: {document['bytes']:,} bytes, {plural(document['calls'], 'call')} in "
        f"{plural(len(regions), 'delegate')}, {target.name} {target.short_hash}"
    )
    lines = [f"takes {document['takes']}"]
    if options.batch is None and options.max_batch is None:
        lines[0] += ", the batch of the example inputs (--batch N or --max-batch N for another)"
    outside = document["host_operators"]
    lines.append(f"{plural(inside, 'operator')} delegated, {len(outside)} not{':' * bool(outside)}")
    return [
        Text(head),
        *(Padding(Text(line), (0, 0, 0, 2)) for line in lines),
        *host_parts(by_reason(outside, target)),
    ]

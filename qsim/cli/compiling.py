"""``qsim compile``: a model on a target, in one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.cli.build import Built, build, check_model_name, target_of
from qsim.cli.output import quiet
from qsim.cli.pte import PteOptions, compile_pte
from qsim.errors import UsageError
from qsim.report import by_reason, host_parts, plural

if TYPE_CHECKING:
    from pathlib import Path

    from qsim.cli.output import Output

_ACCEPTED = "a name that ends in .qsim, .pt2 or .pte"


def compile_model(
    model: str,
    destination: Path,
    target: str | None,
    config: Path | None,
    output: Output,
    pte: PteOptions,
    *,
    quantized_io: bool,
) -> None:
    """Quantize and lower a model and write it whole or not at all."""
    _check_destination(model, destination, quantized_io=quantized_io)
    wanted = target_of(model, target)
    check_model_name(model)
    if destination.suffix == ".pte":
        pte.check()
        compile_pte(model, destination, wanted, config, output, pte, quantized_io=quantized_io)
        return
    if pte.given():
        raise UsageError(
            f"a {destination.suffix} file takes any batch and has no delegates",
            where=pte.given()[0],
            accepted="with a .pte file",
        )
    with quiet(output):
        built = build(model, wanted, config, output, quantized_io=quantized_io)
        save(built, destination)
    held = built.lowered.target
    size = destination.stat().st_size
    calls = sum(len(program.calls) for program in built.lowered.programs)
    output.text(
        f"{destination}: {size:,} bytes, {plural(calls, 'call')} in "
        f"{plural(len(built.lowered.programs), 'program')}, {held.name} {held.short_hash}"
    )
    operators = [dict(item) for item in built.lowered.host_operators]
    groups = by_reason(operators, held)
    if operators:
        output.text(
            f"{plural(len(operators), 'operator')} on the host, in torch, by reason:",
            *host_parts(groups, indent=2),
        )
    output.json(
        {
            "file": str(destination),
            "bytes": size,
            "model": model,
            "target": {"name": held.name, "hash": held.hash},
            "calls": calls,
            "host_operators": operators,
            "host_reasons": [group.to_dict() for group in groups],
        }
    )


def _check_destination(model: str, destination: Path, *, quantized_io: bool) -> None:
    suffix = destination.suffix
    if suffix not in (".qsim", ".pt2", ".pte"):
        raise UsageError(
            f"a compiled model cannot be a {suffix or 'nameless'} file",
            where=str(destination),
            accepted=_ACCEPTED,
        )
    if suffix == ".pt2" and quantized_io:
        raise UsageError(
            "a .pt2 file holds the Q/DQ graph, whose boundary is float",
            where="--quantized-io",
            accepted="--quantized-io with a .qsim or .pte file",
        )
    if suffix in (".pt2", ".pte") and model.endswith(".qsim"):
        raise UsageError(
            f"{model} no longer holds the Q/DQ graph that a {suffix} file needs",
            where=str(destination),
            accepted="the model it was compiled from",
        )
    require_place(destination)


def require_place(destination: Path) -> None:
    """Refuse a file whose directory does not exist, before anything is computed.

    Raises:
        UsageError: names it.
    """
    if not destination.absolute().parent.is_dir() or destination.is_dir():
        raise UsageError(
            "cannot be written",
            where=str(destination),
            accepted="a file in a directory that exists",
        )


def save(built: Built, destination: Path) -> None:
    """Write a network as the ``.qsim`` or ``.pt2`` file that the destination is named for."""
    if destination.suffix == ".qsim":
        built.lowered.save(destination)
        return
    assert built.quantized is not None  # noqa: S101 - only a .qsim file has no Q/DQ graph
    built.quantized.save_pt2(destination)

"""``qsim golden export OUT.bpte`` and ``qsim golden import``: ExecuTorch's bundled programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.cli.output import quiet
from qsim.errors import QsimError, UsageError
from qsim.report import plural

if TYPE_CHECKING:
    from pathlib import Path

    from qsim.cli.output import Output


def export_bundle(
    directory: Path,
    destination: Path,
    program: Path | None,
    names: tuple[str, ...],
    output: Output,
) -> None:
    """Write a set as a bundled program and say what it holds."""
    from qsim.atomic import write_bytes
    from qsim.golden import load

    if destination.suffix != ".bpte":
        raise UsageError(
            "--program is for bundled programs", where=str(destination), accepted="-o FILE.bpte"
        )
    with quiet(output), output.stage("exporting"):
        golden = load(directory)
        from qsim.executorch import bundle_golden, read_bundle
        from qsim.executorch.pte import read_bytes

        code = None if program is None else read_bytes(program, "a .pte file")
        try:
            data = bundle_golden(golden, code, names=names)
        except QsimError as error:
            error.where = error.where or str(program or directory)
            raise
        write_bytes(destination, data)
    methods = [case.method for case in read_bundle(data).cases]
    what = plural(len(methods), "case")
    kinds = plural(len(set(methods)), "method")
    output.text(f"{destination}: {what} of {kinds}, {len(data):,} bytes.")
    output.json({"file": str(destination), "bytes": len(data), "cases": methods})


def import_bundle(path: Path, directory: Path, output: Output, *, force: bool) -> None:
    """Write the cases of a bundled program as a golden set and say what it holds."""
    from qsim.golden import check_destination

    check_destination(directory, force=force)
    with quiet(output), output.stage("importing"):
        from qsim.executorch import read_bundle

        golden = read_bundle(path).to_golden(directory, force=force)
    target = golden.target
    cases = plural(len(golden.names), "case")
    output.text(f"{directory}: {cases}, {target.name} {target.short_hash}")
    output.json(
        {
            "directory": str(directory),
            "target": {"name": target.name, "hash": target.hash},
            "model": golden.model,
            "cases": list(golden.names),
        }
    )

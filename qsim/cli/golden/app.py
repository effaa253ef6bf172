"""``qsim golden``: its commands and their options. Each body imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import Annotated, Final

import typer

from qsim.cli.help import Command, Group, examples
from qsim.cli.options import (
    ConfigOption,
    FolderOption,
    ForceOption,
    InputsOption,
    JsonOption,
    LengthOption,
    SetArgument,
    TargetOption,
    argument,
    option,
)
from qsim.cli.output import Output

_WHAT_HELP: Final = (
    "A model, as for `qsim run`: every primitive call of its run. Or a primitive, such as "
    "requantize: directed vectors, its corners and constrained random."
)

golden_app = typer.Typer(
    cls=Group,
    help="Record golden vectors, check them to the bit, export them for $readmemh.",
    no_args_is_help=True,
    add_completion=False,
)


@golden_app.command(
    cls=Command,
    epilog=examples(
        "qsim golden record digits -o digits_golden",
        "qsim golden record my_net.py:make -o net_golden --target q7 --inputs x.npy",
        "qsim golden record resnet8 -o random_golden --samples 4 --seed 7",
        "qsim golden record requantize -o rq_golden --target narrow20 --count 10000",
    ),
)
def record(
    what: Annotated[str, argument("MODEL|PRIMITIVE", _WHAT_HELP)],
    directory: FolderOption,
    target: TargetOption = None,
    samples: Annotated[
        int | None,
        option(
            "N",
            "Record the first N samples, as one batch (default: all of --inputs, else one).",
        ),
    ] = None,
    inputs: InputsOption = None,
    length: LengthOption = None,
    config: ConfigOption = None,
    seed: Annotated[
        int | None,
        option(
            "N",
            "Of a primitive's random vectors (default: 0). With a model: random codes "
            "instead of its own samples.",
        ),
    ] = None,
    count: Annotated[
        int | None,
        option(
            "N",
            "At least so many random elements beside a primitive's corners (default: 4096).",
        ),
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write golden vectors: of a network's run, or a primitive's corners."""
    from qsim.cli.golden.record import RecordOptions
    from qsim.cli.golden.record import record as execute

    options = RecordOptions(
        what=what,
        directory=directory,
        target=target,
        samples=samples,
        inputs=tuple(inputs or ()),
        config=config,
        seed=seed,
        count=count,
        force=force,
        length=length,
    )
    execute(options, Output(as_json=as_json))


@golden_app.command(
    cls=Command,
    epilog=examples(
        "qsim golden check digits_golden",
        "qsim golden check digits_golden --target my_chip.toml --json",
    ),
)
def check(
    directory: SetArgument,
    target: Annotated[
        str | None,
        option("T", "Refuse a set that was not recorded for this target.", "--target", "-t"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compute every case anew and compare every element; exit status 1 on a difference."""
    from qsim.cli.golden.check import check_set

    if not check_set(directory, target, Output(as_json=as_json)):
        raise typer.Exit(1)


@golden_app.command(
    cls=Command,
    epilog=examples(
        "qsim golden export digits_golden -o hex",
        "qsim golden export digits_golden -o hex --case conv2d.requantize",
        "qsim golden export digits_golden --program digits.pte -o digits.bpte",
        "qsim golden export rq_golden -o rq.bpte",
    ),
)
def export(
    directory: SetArgument,
    destination: Annotated[
        Path,
        option(
            "OUT",
            "The folder of hex files to make; or a .bpte file, for ExecuTorch.",
            "-o",
            "--output",
        ),
    ],
    case: Annotated[list[str] | None, option("NAME", "Only this case; may be repeated.")] = None,
    program: Annotated[
        Path | None,
        option(
            "F.pte",
            "With OUT.bpte: the program of the network that was recorded, integers in and "
            "out. Without it, every case becomes a method.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write cases as hex files for $readmemh, or as a bundled program of ExecuTorch."""
    if program is not None or destination.suffix == ".bpte":
        from qsim.cli.golden.bundle import export_bundle

        export_bundle(directory, destination, program, tuple(case or ()), Output(as_json=as_json))
        return
    from qsim.cli.golden.export import export_set

    export_set(directory, destination, tuple(case or ()), Output(as_json=as_json))


@golden_app.command(
    cls=Command,
    epilog=examples(
        "qsim golden fields requantize --target tflite",
        "qsim golden fields softmax --target tflite-int16x8 --json",
    ),
)
def fields(
    primitive: Annotated[str, argument("PRIMITIVE", "Such as requantize, or mul.")],
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the fields of a primitive's beats: bits, sign, range and meaning."""
    from qsim.cli.golden.fields import show_fields

    show_fields(primitive, target, Output(as_json=as_json))


@golden_app.command(
    "import",
    cls=Command,
    epilog=examples("qsim golden import digits.bpte -o digits_golden"),
)
def import_(
    bundle: Annotated[Path, argument("F.bpte", "A bundled program of ExecuTorch.")],
    directory: FolderOption,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write the cases of a bundled program as a golden set."""
    from qsim.cli.golden.bundle import import_bundle

    import_bundle(bundle, directory, Output(as_json=as_json), force=force)

"""``qsim cosim``: its options. The body imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import Annotated, Final

import typer

from qsim.cli.options import (
    NO_METAVAR,
    Command,
    ConfigOption,
    JsonOption,
    TargetOption,
    examples,
)
from qsim.cli.output import Output

_WHAT_HELP: Final = (
    "A model, as for `qsim run`: every primitive call of one run. Or the folder of a golden set. "
    "Or a primitive, such as requantize: its directed vectors, and with --vectors drawn ones."
)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        cls=Command,
        epilog=examples(
            "qsim cosim digits --simulator verilator",
            "qsim cosim resnet8 --simulator icarus --target q7 --stall 0.3",
            "qsim cosim digits --engine",
            "qsim cosim requantize --vectors 1000000",
            "qsim cosim golden/requantize --dut my_requantizer.toml --waves",
        ),
    )(cosim)


def cosim(
    what: Annotated[
        str, typer.Argument(metavar="MODEL|DIR|PRIMITIVE", help=_WHAT_HELP, show_default=False)
    ],
    simulator: Annotated[
        str, typer.Option("--simulator", "-s", metavar="S", help="verilator or icarus.")
    ] = "verilator",
    target: TargetOption = None,
    lane: Annotated[
        str,
        typer.Option(metavar="L", help="bulk: at full speed; cocotb: with its protocol checks."),
    ] = "bulk",
    dut: Annotated[
        Path | None,
        typer.Option(
            metavar="F.toml", help="Your RTL instead of the repository's, for one primitive."
        ),
    ] = None,
    engine: Annotated[
        bool,
        typer.Option(
            "--engine",
            metavar=NO_METAVAR,
            help="Send whole convolution layers through conv_engine, not their calls one by one.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(metavar="N", help="Of stalls and of drawn vectors.")] = 0,
    vectors: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Of a primitive: elements at least, beside its directed vectors.",
            show_default=False,
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Of a model: samples of the run (default: 1).", show_default=False
        ),
    ] = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="F.npy",
            help="A .npy file of samples: float32 or integer codes; once for each model input.",
            show_default=False,
        ),
    ] = None,
    config: ConfigOption = None,
    stall: Annotated[
        float,
        typer.Option(metavar="P", help="Probability, 0 to below 1, that a side waits in a cycle."),
    ] = 0.0,
    waves: Annotated[
        bool,
        typer.Option(
            "--waves",
            metavar=NO_METAVAR,
            help="Write the cycles around a call's first difference as VCD to ./cosim-waves.",
        ),
    ] = False,
    timeout: Annotated[
        float, typer.Option(metavar="S", help="Seconds until the simulation of a call is killed.")
    ] = 3600.0,
    jobs: Annotated[
        int, typer.Option(metavar="N", help="Builds and simulations side by side.")
    ] = 2,
    as_json: JsonOption = False,
) -> None:
    """Run calls on RTL and compare every bit; exit status 1 on a difference."""
    from qsim.cli.cosim.run import CosimOptions, execute

    options = CosimOptions(
        what=what,
        simulator=simulator,
        target=target,
        lane=lane,
        dut=dut,
        engine=engine,
        seed=seed,
        vectors=vectors,
        samples=samples,
        inputs=tuple(inputs or ()),
        config=config,
        stall=stall,
        waves=waves,
        timeout=timeout,
        jobs=jobs,
    )
    if not execute(options, Output(as_json=as_json)):
        raise typer.Exit(1)

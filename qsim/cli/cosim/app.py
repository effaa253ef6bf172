"""``qsim cosim``: its options. The body imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import Annotated, Final

import typer

from qsim.cli.help import Command, examples
from qsim.cli.options import (
    ConfigOption,
    InputsOption,
    JsonOption,
    TargetOption,
    argument,
    flag,
    option,
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
    what: Annotated[str, argument("MODEL|DIR|PRIMITIVE", _WHAT_HELP)],
    simulator: Annotated[
        str, option("S", "verilator or icarus.", "--simulator", "-s", show_default=True)
    ] = "verilator",
    target: TargetOption = None,
    lane: Annotated[
        str,
        option("L", "bulk: at full speed; cocotb: with its protocol checks.", show_default=True),
    ] = "bulk",
    dut: Annotated[
        Path | None,
        option("F.toml", "Your RTL instead of the repository's, for one primitive."),
    ] = None,
    engine: Annotated[
        bool,
        flag(
            "--engine",
            "Send whole convolution layers through conv_engine, not their calls one by one.",
        ),
    ] = False,
    seed: Annotated[int, option("N", "Of stalls and of drawn vectors.", show_default=True)] = 0,
    vectors: Annotated[
        int | None,
        option("N", "Of a primitive: elements at least, beside its directed vectors."),
    ] = None,
    samples: Annotated[
        int | None, option("N", "Of a model: samples of the run (default: 1).")
    ] = None,
    inputs: InputsOption = None,
    config: ConfigOption = None,
    stall: Annotated[
        float,
        option("P", "Probability, 0 to below 1, that a side waits in a cycle.", show_default=True),
    ] = 0.0,
    waves: Annotated[
        bool,
        flag(
            "--waves",
            "Write the cycles around a call's first difference as VCD to ./cosim-waves.",
        ),
    ] = False,
    coverage: Annotated[
        bool,
        flag(
            "--coverage",
            "Show which ties, saturations and signs the beats reach, and what they miss; "
            "with --lane cocotb also the stalls.",
        ),
    ] = False,
    mutants: Annotated[
        int | None,
        option("N", "Of --dut: change its module N times by one bit, and say who notices."),
    ] = None,
    timeout: Annotated[
        float,
        option("S", "Seconds until the simulation of a call is killed.", show_default=True),
    ] = 3600.0,
    jobs: Annotated[
        int, option("N", "Builds and simulations side by side.", show_default=True)
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
        coverage=coverage,
        mutants=mutants,
    )
    if not execute(options, Output(as_json=as_json)):
        raise typer.Exit(1)

"""``qsim cosim``: its options. The body imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import Annotated, Final

import typer

from qsim.cli.help import Command, examples
from qsim.cli.options import (
    ConfigOption,
    JsonOption,
    TargetOption,
    argument,
    flag,
    option,
)
from qsim.cli.output import Output
from qsim.errors import UsageError

_WHAT_HELP: Final = (
    "A model, as for `qsim run`: every primitive call of one run. Or the folder of a golden set. "
    "Or a primitive, such as requantize: its directed vectors, and with --vectors drawn ones."
)
_WITH_INIT: Final = "--init with --top, --primitive, --target, --include, --define, -o"


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
            "qsim cosim --init rtl/my_requantizer.sv --primitive requantize",
            "qsim cosim --dut thresholds.toml --vectors 10000 --expected golden.py:thresholds",
        ),
    )(cosim)


def cosim(
    what: Annotated[str | None, argument("MODEL|DIR|PRIMITIVE", _WHAT_HELP)] = None,
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
    lint: Annotated[
        bool,
        flag(
            "--lint",
            "Of your RTL: show also what Verilator says on request, such as latches.",
        ),
    ] = False,
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
        option(
            "N",
            "Of a primitive: elements at least, beside its directed vectors. Of a block: inputs "
            "that are drawn.",
        ),
    ] = None,
    case: Annotated[
        str | None,
        option("GLOB", "Only calls whose name or layer it matches, as the shell does."),
    ] = None,
    strict: Annotated[
        bool,
        flag("--strict", "Refuse vectors that the design of --dut cannot take: none is left out."),
    ] = False,
    samples: Annotated[
        int | None, option("N", "Of a model: samples of the run (default: 1).")
    ] = None,
    inputs: Annotated[
        list[str] | None,
        option(
            "F.npy|DIR|F.py:NAME",
            "Of a model: a .npy file of samples, once for each input. Of a block of your own "
            '(--dut with primitive = "custom"): a folder of NAME.npy, or a function that returns '
            "arrays by name.",
        ),
    ] = None,
    expected: Annotated[
        str | None,
        option(
            "DIR|F.py:NAME",
            "Of a block: what must come out; a function gets the inputs by name.",
        ),
    ] = None,
    config: ConfigOption = None,
    stall: Annotated[
        float | None,
        option(
            "P",
            "Probability, 0 to below 1, that a side waits in a cycle (default: 0; with --dut, once "
            "0 and once 0.3).",
        ),
    ] = None,
    idle_cycles: Annotated[
        int | None,
        option("N", "Cycles without a beat that are a hang (default: by the longest pause)."),
    ] = None,
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
        int | None,
        option("N", "Builds and simulations side by side (default: as many as processors)."),
    ] = None,
    init: Annotated[
        list[Path] | None,
        option(
            "F.sv",
            "Write a draft dut.toml for the module in this file, and say what is guessed; once "
            "for each file, the module's own last.",
        ),
    ] = None,
    top: Annotated[
        str | None, option("NAME", "With --init: the module, where several are.")
    ] = None,
    primitive: Annotated[
        str | None, option("NAME", "With --init: what the module computes; custom: no primitive.")
    ] = None,
    include: Annotated[
        list[Path] | None, option("DIR", "With --init: a folder of included files; once for each.")
    ] = None,
    define: Annotated[
        list[str] | None, option("NAME=TEXT", "With --init: a macro; once for each.")
    ] = None,
    output: Annotated[
        Path | None,
        option(
            "F.toml",
            "With --init: the file to make (default: dut.toml beside the module).",
            "-o",
            "--output",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run calls on RTL and compare every bit; exit status 1 on a difference."""
    only = {"--top": top, "--primitive": primitive, "--include": include, "--define": define,
            "--output": output}  # fmt: skip
    if init:
        others = {"MODEL|DIR|PRIMITIVE": what, "--dut": dut, "--vectors": vectors, "--case": case,
                  "--samples": samples, "--inputs": inputs, "--expected": expected,
                  "--config": config, "--stall": stall, "--idle-cycles": idle_cycles,
                  "--jobs": jobs, "--lint": lint or None, "--engine": engine or None,
                  "--strict": strict or None, "--waves": waves or None}  # fmt: skip
        for name, value in others.items():
            if value is not None:
                raise UsageError("--init simulates nothing", where=name, accepted=_WITH_INIT)
        from qsim.cli.cosim.init import InitOptions, draft

        wanted = InitOptions(tuple(init), top, primitive, target, tuple(include or ()),
                             tuple(define or ()), output)  # fmt: skip
        draft(wanted, Output(as_json=as_json))
        return
    for name, given in only.items():
        if given is not None:
            raise UsageError("it is an option of --init", where=name, accepted="--init F.sv")
    from qsim.cli.cosim.run import CosimOptions, execute

    options = CosimOptions(
        what=what,
        simulator=simulator,
        target=target,
        lane=lane,
        dut=dut,
        lint=lint,
        engine=engine,
        seed=seed,
        vectors=vectors,
        case=case,
        strict=strict,
        samples=samples,
        inputs=tuple(inputs or ()),
        expected=expected,
        config=config,
        stall=stall,
        idle_cycles=idle_cycles,
        waves=waves,
        timeout=timeout,
        jobs=jobs,
        coverage=coverage,
        mutants=mutants,
    )
    if not execute(options, Output(as_json=as_json)):
        raise typer.Exit(1)

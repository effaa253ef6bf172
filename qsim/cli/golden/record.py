"""``qsim golden record``: a network's run, or a primitive's directed vectors."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qsim.cli.build import DEFAULT_TARGET, build, check_model_name, target_of
from qsim.cli.golden.tables import class_table, digest_lines, elements, primitive_table
from qsim.cli.lengths import at_length
from qsim.cli.output import quiet
from qsim.errors import ModelError, UsageError
from qsim.report import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from qsim.cli.output import Output
    from qsim.golden import Case, GoldenSet
    from qsim.network import Lowered

DEFAULT_COUNT = 4096


@dataclass(frozen=True)
class RecordOptions:
    """The options of ``qsim golden record``; see its ``--help``."""

    what: str
    directory: Path
    target: str | None
    samples: int | None
    inputs: tuple[Path, ...]
    config: Path | None
    seed: int | None
    count: int | None
    force: bool
    length: int | None = None


def record(options: RecordOptions, output: Output) -> None:
    """Write a golden set and say what it holds."""
    from qsim.golden import check_destination

    _check_numbers(options)
    directed = is_primitive(options.what)
    _check_fit(options, directed=directed)
    check_destination(options.directory, force=options.force)
    with quiet(output):
        golden, source = (_directed if directed else _run)(options, output)
    _print(golden, source, options, output)


def _check_numbers(options: RecordOptions) -> None:
    for name, value in (("samples", options.samples), ("count", options.count)):
        if value is not None and value < 1:
            raise UsageError(f"--{name} must be at least 1, not {value}", accepted="1 or more")
    if options.seed is not None and not 0 <= options.seed < 1 << 64:
        raise UsageError(f"--seed must be unsigned, not {options.seed}", accepted="0..2**64-1")


def is_primitive(what: str) -> bool:
    """Return whether vectors of a primitive are asked for.

    Raises:
        ModelError: neither a primitive nor a model has that name.
    """
    from qsim.golden import PRIMITIVES
    from qsim.models import builtin

    if what in PRIMITIVES and what not in {item.name for item in builtin()}:
        return True
    try:
        check_model_name(what)
    except ModelError as error:
        raise ModelError(
            error.message,
            where=error.where,
            accepted=f"{error.accepted}; or a primitive: {', '.join(PRIMITIVES)}",
        ) from None
    return False


def _check_fit(options: RecordOptions, *, directed: bool) -> None:
    of_model = {
        "--samples": options.samples,
        "--inputs": options.inputs or None,
        "--config": options.config,
        "--length": options.length,
    }
    wrong = of_model if directed else {"--count": options.count}
    for name, value in wrong.items():
        if value is not None:
            raise UsageError(
                f"{options.what} is a {'primitive' if directed else 'model'}",
                where=name,
                accepted=f"{name} with a {'model' if directed else 'primitive'}",
            )


def _directed(options: RecordOptions, output: Output) -> tuple[GoldenSet, str]:
    from qsim.golden import directed, write
    from qsim.target import Target

    target = Target.load(options.target or DEFAULT_TARGET)
    seed = options.seed or 0
    wanted = options.count or DEFAULT_COUNT
    with output.stage("recording") as advance:
        found = directed.cases(options.what, target, seed, wanted)
        if not found:
            raise UsageError(
                f"the target {target.name} has no {options.what}",
                where="--target",
                accepted="a target that lists it (`qsim targets NAME`)",
            )
        golden = write(
            _counted(found, advance), options.directory, target, seed=seed, force=options.force
        )
    return golden, f"directed vectors of {options.what}, seed {seed}"


def _run(options: RecordOptions, output: Output) -> tuple[GoldenSet, str]:
    from qsim.golden import cases, write

    target = target_of(options.what, options.target)
    built = build(options.what, target, options.config, output, quantized_io=False)
    built = at_length(built, options.length, options.inputs)
    network = built.lowered
    arrays, source = run_input(options, network, built.model)
    calls = sum(len(program.calls) for program in network.programs)
    if not calls:
        raise ModelError(
            "nothing runs on the accelerator, so there is nothing to record",
            where=options.what,
            accepted="a model with operators that the target has; `qsim run` says why not",
        )
    with output.stage("recording", calls) as advance:
        golden = write(
            _counted(cases(network, arrays), advance),
            options.directory,
            network.target,
            model=options.what,
            network=network.digest,
            seed=options.seed,
            force=options.force,
        )
    return golden, source


def run_input(options: RecordOptions, network: Lowered, model: Any) -> tuple[Any, str]:
    """Return the inputs of one run, as the network takes them, and what they are."""
    from qsim.cli.inputs import batches, choose

    draw = options.samples or 1
    samples = choose(options.inputs, model, network, seed=options.seed, draw=draw)
    fixed = {spec.shape[0] for spec in network.inputs if spec.shape and spec.shape[0] != -1}
    alone = None if options.inputs else min(fixed, default=1)
    samples = samples.first(options.samples or alone)
    if fixed and samples.count != min(fixed):
        raise UsageError(
            f"the model takes batches of {min(fixed)} only, not {samples.count}",
            where="--samples",
            accepted=str(min(fixed)),
        )
    _, stream = batches(samples, network, network.target.quantize.formula, samples.count)
    return next(stream).hardware, samples.source


def _counted(cases: Iterable[Case], advance: Callable[[int], None]) -> Iterator[Case]:
    for case in cases:
        yield case
        advance(1)


def _print(golden: GoldenSet, source: str, options: RecordOptions, output: Output) -> None:
    classes: Counter[str] = Counter()
    for entry in golden.entries:
        classes.update(entry.classes)
    size = sum(entry.bytes for entry in golden.entries)
    total = sum(elements(entry.arrays["output"][0]) for entry in golden.entries)
    target = golden.target
    if not output.as_json:
        output.text(
            f"{options.directory}: {plural(len(golden.entries), 'case')}, {total:,} elements, "
            f"{size:,} bytes, {target.name} {target.short_hash}",
            f"From {source}.",
            *digest_lines(golden),
            class_table(classes) if classes else primitive_table(golden),
        )
    output.json(
        {
            "directory": str(options.directory),
            "target": {"name": target.name, "hash": target.hash},
            "model": golden.model,
            "network_sha256": golden.network,
            "seed": golden.manifest["seed"],
            "source": source,
            "elements": total,
            "bytes": size,
            "classes": dict(classes),
            "cases": [
                {
                    "name": entry.name,
                    "layer": entry.layer,
                    "primitive": entry.primitive,
                    "elements": elements(entry.arrays["output"][0]),
                    "file": entry.file,
                    "bytes": entry.bytes,
                }
                for entry in golden.entries
            ],
        }
    )

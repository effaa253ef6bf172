"""The public way in: a golden set, a network with its input, or a primitive, through RTL."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from qsim.cosim.lanes import played, require_lane
from qsim.cosim.runner import Settings, run_cases
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from os import PathLike

    from qsim.cosim.custom import Given
    from qsim.cosim.jobs import Prepared, Unit
    from qsim.cosim.report import Report
    from qsim.cosim.simulators import Design
    from qsim.golden import Case, GoldenSet
    from qsim.network import Lowered
    from qsim.target import Target

    Source: TypeAlias = "GoldenSet | Lowered | str | PathLike[str]"


def run(
    source: Source | None = None,
    x: Any = None,
    *,
    simulator: str = "verilator",
    target: Target | None = None,
    dut: str | PathLike[str] | None = None,
    engine: bool = False,
    lane: str = "bulk",
    seed: int = 0,
    stall: float | None = None,
    idle_cycles: int | None = None,
    vectors: int | None = None,
    inputs: Given | None = None,
    expected: Given | None = None,
    case: str = "",
    strict: bool = False,
    waves: str | PathLike[str] | None = None,
    workers: int | None = None,
    lint: bool = False,
    timeout: float = 3600.0,
) -> Report:
    """Send every call of a source through RTL and compare every element of its result.

    Args:
        source: a golden set, the folder of one, a network (with ``x``), or a primitive's name;
            None for a block of ``dut`` whose primitive is ``custom``.
        x: the network's input.
        simulator: ``verilator`` or ``icarus``.
        target: of a primitive (needed); of a golden set or network, which it must be.
        dut: a ``dut.toml`` that binds other RTL to one primitive; the repository's RTL if None.
        engine: whole convolution layers through ``conv_engine``; other calls as ever.
        lane: ``bulk`` or ``cocotb``.
        seed: of stalls and of drawn vectors.
        stall: probability with which each side of the design waits in a cycle; 0 if None. A design
            of a ``dut`` is then played at full rate and, where it agrees, with stalls.
        idle_cycles: cycles without a beat that are a hang; in proportion to the longest pause that
            was seen if None.
        vectors: of a primitive: how many elements at least, beside its directed vectors. Of a
            block: how many inputs are drawn.
        inputs: of a block: arrays by name, a folder of ``NAME.npy``, or a function (or its name,
            ``module:function``) that returns them, called with the seed; the files that ``dut``
            names if None.
        expected: likewise, what must come out; a function is called with the inputs by name.
        case: only the calls whose name or layer it matches, with ``*``, ``?`` and ``[ ]`` as in the
            shell; all if empty.
        strict: with ``dut``: refuse vectors that the design cannot take, instead of leaving them
            out.
        waves: a folder for the waves around the first differences.
        workers: builds and simulations side by side; as many as there are processors if None.
        lint: tell also what Verilator says of a ``dut`` on request: latches, unused signals.
        timeout: seconds for one call.

    Raises:
        MissingToolError: the simulator is not there, or too old.
        UsageError: the source does not fit its options, is of another target, or has no RTL.
        InputError: an array of a block is missing, or does not fit its fields.
        FileFormatError: the golden set is damaged.
        BuildError: the RTL does not compile.
        SimulationError: a simulation did not run to its end.
    """
    stimulus, stalled = played(seed, stall, idle_cycles)
    settings = Settings(
        simulator=simulator,
        lane=require_lane(lane),
        stimulus=stimulus,
        stalled=stalled,
        workers=workers,
        waves=None if waves is None else Path(waves),
        timeout=timeout,
        lint=lint,
        engine=engine,
        pattern=case,
        strict=strict,
    )
    settings = with_dut(settings, dut)
    if source is None or inputs is not None or expected is not None:
        if source is not None or x is not None or target is not None:
            raise UsageError(
                "arrays of one's own are those of a block, without source, input and target",
                accepted='dut with primitive = "custom", inputs and expected alone',
            )
        block = blocks(settings, inputs, expected, vectors=vectors, seed=seed)
        return run_cases(block, None, settings, str(dut))
    fixed = {} if settings.dut is None else settings.dut.fixed
    cases, contract, name = _cases(source, x, target, seed, vectors, fixed)
    return run_cases(cases, contract, settings, name)


def blocks(
    settings: Settings,
    inputs: Given | None,
    expected: Given | None,
    *,
    vectors: int | None = None,
    seed: int = 0,
) -> list[Prepared]:
    """Return the calls of the block that settings bind; arguments as those of :func:`run`.

    Raises:
        UsageError: they bind none, or nothing says where arrays are.
        InputError: an array is missing, or does not fit.
    """
    from qsim.cosim import custom

    if settings.dut is None or settings.dut.custom is None:
        bound = "nothing" if settings.dut is None else settings.dut.primitive
        raise UsageError(
            f"arrays of one's own are those of a block, and the design computes {bound}",
            where="" if settings.dut is None else settings.dut.where,
            accepted='a dut.toml with primitive = "custom"',
        )
    return custom.calls(settings.dut.custom, inputs, expected, vectors=vectors, seed=seed)


def with_dut(settings: Settings, path: str | PathLike[str] | None) -> Settings:
    """Return settings for the RTL that a ``dut.toml`` binds; as they are without one.

    Raises:
        UsageError: the file is not acceptable, or whole layers are asked for as well.
    """
    if path is None:
        if settings.lint:
            raise UsageError("warnings are shown of a design of yours", accepted="lint with dut")
        return settings
    from qsim.cosim import dut as duts

    if settings.engine:
        raise UsageError("a design of one primitive is no engine of whole layers", where=str(path))
    dut = duts.load(Path(path))
    if dut.interfaces and settings.simulator == "icarus":
        raise UsageError(
            f"Icarus has no interfaces, and {next(iter(dut.interfaces))!r} is one",
            where=f"{path}: [interfaces]",
            accepted="--simulator verilator",
        )

    def wrap(unit: Unit) -> Design:
        return duts.design(duts.serving(dut, unit), unit)

    return replace(settings, wrap=wrap, dut=dut)


def _cases(
    source: Source,
    x: Any,
    target: Target | None,
    seed: int,
    vectors: int | None,
    fixed: Mapping[str, int],
) -> tuple[Iterable[Case], Target, str]:
    from qsim import golden
    from qsim.golden import require_target
    from qsim.program import PRIMITIVES

    if isinstance(source, str) and source in PRIMITIVES and not Path(source).is_dir():
        from qsim.cosim.jobs import vectors as draw

        if target is None or x is not None:
            raise UsageError(
                f"vectors of {source} are made for a target",
                accepted="target=qsim.Target.load(...), and no input",
            )
        return draw(source, target, seed, vectors, fixed), target, source
    if vectors is not None:
        raise UsageError("vectors are drawn for a primitive only", accepted=", ".join(PRIMITIVES))
    if isinstance(source, golden.GoldenSet):
        require_target(source, target)
        return source.cases, source.target, str(source.directory)
    from qsim.network import Lowered

    if isinstance(source, Lowered):
        if x is None:
            raise UsageError("a network needs an input", accepted="run(lowered, x)")
        if target is not None and target.hash != source.target.hash:
            raise UsageError(f"the network is lowered for {source.target.name}, not {target.name}")
        return golden.cases(source, x), source.target, source.model
    held = golden.load(source, target=target)
    return held.cases, held.target, str(source)

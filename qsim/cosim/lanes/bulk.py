"""The bulk lane: a plain SystemVerilog bench that streams files through ``dut`` at full rate."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, assert_never

import numpy as np

from qsim.atomic import refused, scratch
from qsim.cosim.lanes.interface import LaneResult, SimulationError, Stimulus, Window
from qsim.cosim.lanes.results import Expectation, read_results, warnings
from qsim.cosim.lanes.waves import keep_waves, mark_waves
from qsim.cosim.simulators import RTL_TB, Build, Design, Recipe, Watched, process
from qsim.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from qsim.cosim.jobs import Flags, Job, Layout, Words
    from qsim.cosim.simulators import Simulator
    from qsim.cosim.simulators.toolchain import SimulatorName

BENCH: Final = RTL_TB / "bulk" / "stream_bulk_tb.sv"
TOP: Final = "qsim_stream_bulk_tb"
DEPTH: Final = 16384  # beats in the bench's memory
TIMEOUT: Final = 3600.0
LIMIT: Final = 1 << 20
_RESETS: Final = 64  # of the bench
_ONE: Final = 1 << 16  # a probability of 1 in the bench
# A register without reset begins, and an x becomes, anything: by the seed.
_VERILATOR: Final = ("--main", "--timing", "--x-assign", "unique", "--x-initial", "unique")


def bulk_recipe(design: Design, simulator: Simulator, *, waves: bool = False) -> Recipe:
    """Return what the bulk bench around a design is built from."""
    return Recipe(
        simulator=simulator,
        lane="bulk",
        top=TOP,
        design=design,
        bench=(BENCH,),
        parameters={"S_W": design.input_width, "M_W": design.output_width, "DEPTH": DEPTH},
        flags=_flags(simulator.name),
        waves=waves,
    )


def _flags(simulator: SimulatorName) -> tuple[str, ...]:
    match simulator:
        case "icarus":
            return ()
        case "verilator":
            return _VERILATOR
        case _:
            assert_never(simulator)


def run_bulk(
    job: Job,
    build: Build,
    stimulus: Stimulus = Stimulus(),  # noqa: B008  frozen
    *,
    window: Window | None = None,
    timeout: float = TIMEOUT,
    limit: int = LIMIT,
    hexadecimal: bool = False,
) -> LaneResult:
    """Run one job; see :class:`qsim.cosim.lanes.interface.Lane`.

    Args:
        job: what to send and to expect.
        build: of :func:`bulk_recipe`, from the job's unit.
        stimulus: stalls, resets and their seed.
        window: keep waves of these cycles; the build must have been made with waves. Nothing after
            the window is simulated.
        timeout: seconds until the simulator is killed.
        limit: how many differences are kept.
        hexadecimal: feed ``$readmemh`` files instead of binary ones: the same beats, slower.

    Raises:
        SimulationError: the simulator ended early, was killed, or took too long.
        UsageError: the build has no waves, or there are more resets than the bench takes.
    """
    if build.lane != "bulk" or (window is not None and not build.waves):
        raise UsageError(f"a build of lane {build.lane!r} (waves: {build.waves}) does not fit")
    if len(stimulus.resets) > _RESETS:
        raise UsageError(f"{len(stimulus.resets)} resets", accepted=f"at most {_RESETS}")
    with scratch("bulk") as folder:
        started = time.perf_counter()
        with refused(folder):
            _write(folder, job, stimulus, hexadecimal=hexadecimal)
        nonce = secrets.token_hex(8)
        arguments = _plusargs(job, stimulus, window, limit) | {"nonce": nonce}
        arguments |= {"hex": str(int(hexadecimal)), "dir": str(folder)}
        arguments["last"] = str(int(build.watched is None))
        arguments["first_reset"] = str((build.watched or Watched()).reset)
        done = process.run(
            _command(build, arguments, stimulus.seed),
            cwd=build.folder or folder,
            environment=build.simulator.environ(),
            log=folder / "log.txt",
            timeout=timeout,
        )
        seconds = time.perf_counter() - started
        if window is not None:
            keep_waves(folder, window)
        if done.timed_out or done.status:
            raise SimulationError(
                f"{build.simulator.name} {done.how}{process.last_words(done.text)}",
                where=job.name,
                accepted="a simulation that runs to its end",
            )
        expectation = Expectation(
            nonce,
            job.unit.outputs.width,
            len(job.beats),
            len(job.expected),
            stimulus,
            build.watched,
        )
        try:
            result = read_results(folder / "results.txt", expectation, seconds)
        except SimulationError as error:
            raise SimulationError(
                f"{error.message}{process.last_words(done.text)}", where=job.name
            ) from None
        if window is not None:
            mark_waves(folder, window, job, result, build.watched)
        return replace(result, warnings=warnings(build, done.text))


def _command(build: Build, arguments: dict[str, str], seed: int) -> list[str]:
    plusargs = [f"+{name}={value}" for name, value in arguments.items()]
    if build.simulator.runner is not None:
        return [str(build.simulator.runner), "-n", str(build.program), *plusargs]
    # Verilator takes seeds of 31 bits, and 0 for a random one.
    rand = [
        "+verilator+quiet",
        "+verilator+rand+reset+2",
        f"+verilator+seed+{seed % 0x7FFFFFFF + 1}",
    ]
    return [str(build.program), *rand, *plusargs]


def _plusargs(job: Job, stimulus: Stimulus, window: Window | None, limit: int) -> dict[str, str]:
    idle_limit, idle_factor = stimulus.patience
    values = {
        "inputs": len(job.beats),
        "outputs": len(job.expected),
        "seed": stimulus.seed,
        "stall_in": round(stimulus.stall_input * _ONE),
        "stall_out": round(stimulus.stall_output * _ONE),
        "wait_valid": int(stimulus.wait_for_valid),
        "resets": len(stimulus.resets),
        "reset_cycles": stimulus.reset_cycles,
        "idle_limit": idle_limit,
        "idle_factor": idle_factor,
        "limit": limit,
    }
    if window is not None:
        values |= {"dump_first": window.first, "dump_last": window.last}
    return {name: str(value) for name, value in values.items()}


def _write(folder: Path, job: Job, stimulus: Stimulus, *, hexadecimal: bool) -> None:
    """Write what the bench reads."""
    streams = (
        ("in", job.unit.inputs, job.beats, job.last),
        ("out", job.unit.outputs, job.expected, job.expected_last),
    )
    for name, layout, words, last in streams:
        if hexadecimal:
            for chunk, start in enumerate(range(0, len(words), DEPTH)):
                part = slice(start, start + DEPTH)
                text = layout.to_hex(words[part], last[part])
                (folder / f"{name}.{chunk}.hex").write_bytes(text)
        else:
            with (folder / f"{name}.bin").open("wb") as file:
                for start in range(0, len(words), DEPTH):
                    part = slice(start, start + DEPTH)
                    file.write(_bytes(layout, words[part], last[part]))
    if stimulus.resets:
        lines = "".join(f"{cycle:x}\n" for cycle in stimulus.resets)
        (folder / "resets.hex").write_text(lines, encoding="ascii")


def _bytes(layout: Layout, words: Words, last: Flags) -> bytes:
    """Return beats as whole bytes, the highest first: tlast above tdata."""
    width = layout.width + 1
    table = np.zeros((len(words), -(-width // 64)), "<u8")
    table[:, : layout.words] = words
    word, bit = divmod(layout.width, 64)
    table[:, word] |= last.astype(np.uint64) << np.uint64(bit)
    octets = table.view(np.uint8)[:, : -(-width // 8)]
    return octets[:, ::-1].tobytes()

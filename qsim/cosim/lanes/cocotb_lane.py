"""The cocotb lane: the benches of ``rtl_tb/tb``, in Python, for the protocol.

cocotb runs inside the simulator, which is started with the variables that it documents. The bench
gets its job as a description and two hex files in a private folder, and leaves its results there.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, assert_never

from qsim.atomic import refused, scratch
from qsim.cosim.lanes.interface import STALLS, LaneResult, SimulationError, Stimulus, Window
from qsim.cosim.lanes.results import Expectation, read_results, warnings
from qsim.cosim.lanes.waves import keep_waves, mark_waves
from qsim.cosim.simulators import RTL_TB, Build, Design, Recipe, Watched, process
from qsim.errors import MissingToolError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.cosim.jobs import Job, Layout
    from qsim.cosim.simulators import Simulator

BENCH: Final = RTL_TB / "tb" / "stream_cocotb_tb.sv"
TOP: Final = "qsim_stream_cocotb_tb"
LANE: Final = "rtl_tb.tb.lane"
TIMEOUT: Final = 3600.0
LIMIT: Final = 1 << 20
_VERILATOR: Final = RTL_TB / "tb" / "verilator"
_JOB: Final = "QSIM_COCOTB_JOB"
_RELEASE: Final = "2.1"  # whose variables and simulator objects are used


@dataclass(frozen=True, slots=True)
class Cocotb:
    """An installed cocotb: its version, its libraries, the variables that start it."""

    version: str
    libraries: Path
    main: Path
    icarus: Path
    users: str


@cache
def find_cocotb() -> Cocotb:
    """Return the installed cocotb.

    Raises:
        MissingToolError: it is not installed, or of a release that the benches do not know.
    """
    how = f"pip install 'cocotb=={_RELEASE}.*'"
    if find_spec("cocotb") is None or find_spec("cocotb_tools") is None:
        raise MissingToolError("cocotb is not installed", accepted=how)
    import cocotb
    import find_libpython
    from cocotb_tools import config

    if not cocotb.__version__.startswith(f"{_RELEASE}."):
        raise MissingToolError(f"cocotb {cocotb.__version__} is not {_RELEASE}", accepted=how)
    library = find_libpython.find_libpython()
    if library is None:
        raise MissingToolError(
            "cocotb needs Python as a shared library", accepted="apt-get install libpython3-dev"
        )
    return Cocotb(
        version=cocotb.__version__,
        libraries=Path(config.libs_dir),
        main=Path(config.share_dir) / "lib" / "verilator" / "verilator.cpp",
        icarus=Path(config.lib_name_path("vpi", "icarus")),
        users=f"{library};{config.pygpi_entry_point()}",
    )


def cocotb_recipe(design: Design, simulator: Simulator, *, waves: bool = False) -> Recipe:
    """Return what the cocotb bench around a design is built from.

    Raises:
        MissingToolError: see :func:`find_cocotb`.
    """
    bench: tuple[Path, ...] = (BENCH,)
    flags: tuple[str, ...] = ()
    match simulator.name:
        case "icarus":
            pass
        case "verilator":
            found = find_cocotb()
            bench = (_VERILATOR / "public.vlt", BENCH, found.main)
            linked = f"-Wl,-rpath,{found.libraries} -L{found.libraries} -lcocotbvpi_verilator"
            flags = ("--vpi", "--no-timing", "--x-assign", "unique", "--x-initial", "unique")
            flags += ("-CFLAGS", f"-I{_VERILATOR}", "-LDFLAGS", linked)
        case _:
            assert_never(simulator.name)
    return Recipe(
        simulator=simulator,
        lane="cocotb",
        top=TOP,
        design=design,
        bench=bench,
        parameters={"S_W": design.input_width, "M_W": design.output_width},
        flags=flags,
        waves=waves,
    )


def run_cocotb(
    job: Job,
    build: Build,
    stimulus: Stimulus = Stimulus(),  # noqa: B008  frozen
    *,
    window: Window | None = None,
    timeout: float = TIMEOUT,
    limit: int = LIMIT,
) -> LaneResult:
    """Run one job; see :class:`qsim.cosim.lanes.interface.Lane`.

    Raises:
        SimulationError: the simulator ended early, was killed, or took too long.
        UsageError: the build is of another lane, or has no waves.
    """
    with scratch("cocotb") as folder:
        started = time.perf_counter()
        nonce = play(
            job, build, LANE, folder, stimulus, window=window, timeout=timeout, limit=limit
        )
        seconds = time.perf_counter() - started
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
            words = process.last_words((folder / "log.txt").read_text("utf-8", "replace"))
            raise SimulationError(f"{error.message}{words}", where=job.name) from None
        if window is not None:
            mark_waves(folder, window, job, result, build.watched)
        said = (folder / "log.txt").read_text("utf-8", "replace")
        events = result.events  # on the design's own nets, where those are watched
        if events is None:
            seen = json.loads((folder / "events.json").read_bytes())
            events = {name: seen.get(name, 0) for name in STALLS}
        return replace(result, warnings=warnings(build, said), events=events)


def play(
    job: Job,
    build: Build,
    module: str,
    folder: Path,
    stimulus: Stimulus,
    *,
    window: Window | None = None,
    timeout: float = TIMEOUT,
    limit: int = LIMIT,
) -> str:
    """Run the cocotb tests of a Python module on a job.

    Args:
        job: what to send and to expect.
        build: of :func:`cocotb_recipe`, from the job's unit.
        module: dotted name of the tests.
        folder: an empty one for what the bench reads and writes; ``results.xml`` is JUnit XML.
        stimulus: of the run; the tests of a primitive take its seed and vary the rest.
        window: keep waves of these cycles; the build must have been made with waves. Nothing after
            the window is simulated.
        timeout: seconds until the simulator is killed.
        limit: how many differences are kept.

    Returns:
        The nonce of this run: a result without it is of another one.

    Raises:
        SimulationError: the simulator was killed, failed, or took too long.
        UsageError: the build is of another lane, or has no waves.
    """
    if build.lane != "cocotb" or (window is not None and not build.waves):
        raise UsageError(f"a build of lane {build.lane!r} (waves: {build.waves}) does not fit")
    nonce = secrets.token_hex(8)
    with refused(folder):
        document = _document(job, stimulus, window) | {"nonce": nonce, "limit": limit}
        document["last"] = build.watched is None
        document["first_reset"] = (build.watched or Watched()).reset
        (folder / "job.json").write_text(json.dumps(document), encoding="utf-8")
        _write(folder, job)
    done = process.run(
        [*_command(build, stimulus.seed), f"+dir={folder}"],
        cwd=build.folder or folder,
        environment=_environment(build, module, folder, stimulus.seed),
        log=folder / "log.txt",
        timeout=timeout,
    )
    if window is not None:
        keep_waves(folder, window)
    if done.timed_out or done.status:
        raise SimulationError(
            f"{build.simulator.name} {done.how}{process.last_words(done.text)}",
            where=job.name,
            accepted="a simulation that runs to its end",
        )
    return nonce


def _document(job: Job, stimulus: Stimulus, window: Window | None) -> dict[str, Any]:
    """Return what the bench's description says of a job and how it is played."""
    unit = job.unit
    idle_limit, idle_factor = stimulus.patience
    played = asdict(stimulus) | {"idle_limit": idle_limit, "idle_factor": idle_factor}
    return {
        "primitive": job.primitive,
        "parameters": dict(unit.parameters),
        "inputs": _fields(unit.inputs),
        "outputs": _fields(unit.outputs),
        "stimulus": played,
        "window": None if window is None else [window.first, window.last],
    }


def _write(folder: Path, job: Job) -> None:
    unit = job.unit
    (folder / "in.hex").write_bytes(unit.inputs.to_hex(job.beats, job.last))
    (folder / "out.hex").write_bytes(unit.outputs.to_hex(job.expected, job.expected_last))


def _fields(layout: Layout) -> list[dict[str, Any]]:
    return [asdict(field) for field in layout.fields]


def _command(build: Build, seed: int) -> list[str]:
    if build.simulator.runner is not None:
        return [
            str(build.simulator.runner),
            "-n",
            "-m",
            str(find_cocotb().icarus),
            str(build.program),
        ]
    # Verilator takes seeds of 31 bits, and 0 for a random one.
    rand = [
        "+verilator+quiet",
        "+verilator+rand+reset+2",
        f"+verilator+seed+{seed % 0x7FFFFFFF + 1}",
    ]
    return [str(build.program), *rand]


def _environment(build: Build, module: str, folder: Path, seed: int) -> Mapping[str, str]:
    """Return the simulator's variables, with those that cocotb documents."""
    kept = {k: v for k, v in build.simulator.environ().items() if not k.startswith("COCOTB_")}
    return kept | {
        "COCOTB_TEST_MODULES": module,
        "COCOTB_TOPLEVEL": TOP,
        "COCOTB_RESULTS_FILE": str(folder / "results.xml"),
        "COCOTB_RANDOM_SEED": str(seed),
        # The bench drives at the edge at which the design does nothing.
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "COCOTB_REWRITE_ASSERTION_FILES": "",
        "COCOTB_ANSI_OUTPUT": "0",
        "GPI_USERS": find_cocotb().users,
        "PYGPI_PYTHON_BIN": sys.executable,
        # A design may run from its own folder, whose Python files are not ours.
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": os.pathsep.join([str(RTL_TB.parent), *filter(None, sys.path)]),
        "TOPLEVEL_LANG": "verilog",
        _JOB: str(folder / "job.json"),
    }

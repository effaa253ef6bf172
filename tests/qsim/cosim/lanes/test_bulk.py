"""The bulk bench: what it accepts, and that it finds and places every fault."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from qsim.cosim.findings import findings
from qsim.cosim.lanes.bulk import DEPTH, run_bulk
from qsim.cosim.lanes.interface import LaneResult, SimulationError, Stimulus, Window
from qsim.cosim.simulators import Build
from qsim.errors import UsageError
from tests.qsim.cosim.simulators.toy_rtl import SIMULATORS, toy_build, toy_job
from tests.tree import ROOT

LIMIT = 200  # cycles without progress


@pytest.fixture(scope="module", params=SIMULATORS)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Build:
    return toy_build(tmp_path_factory.mktemp("toy"), request.param)


def kinds(result: LaneResult) -> list[str]:
    return [problem.kind for problem in result.problems]


def test_full_rate(built: Build) -> None:
    result = run_bulk(toy_job(100), built)
    assert result.agrees
    assert (result.beats_in, result.beats_out, result.differing) == (100, 100, 0)
    assert result.cycles == 101  # one beat a cycle, one cycle of latency


def test_one_beat(built: Build) -> None:
    result = run_bulk(toy_job(1), built)
    assert (result.agrees, result.cycles) == (True, 2)


@pytest.mark.parametrize("hexadecimal", [False, True])
@pytest.mark.parametrize("beats", [DEPTH - 1, DEPTH, DEPTH + 1])
def test_chunks(built: Build, beats: int, hexadecimal: bool) -> None:
    job = toy_job(beats, {beats - 1: "value"})
    result = run_bulk(job, built, hexadecimal=hexadecimal)
    assert [d.beat for d in result.differences] == [beats - 1]
    assert result.cycles == beats + 1


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
@pytest.mark.parametrize(("into", "out"), [(0.5, 0.0), (0.0, 0.5), (0.9, 0.9)])
def test_stalls(built: Build, into: float, out: float, seed: int) -> None:
    stimulus = Stimulus(seed=seed, stall_input=into, stall_output=out)
    result = run_bulk(toy_job(300, {150: "value"}), built, stimulus)
    assert (result.beats_out, result.differing, kinds(result)) == (300, 1, [])
    assert result.cycles > 300 / (1 - max(into, out)) * 0.7
    assert result.cycles == run_bulk(toy_job(300), built, stimulus).cycles  # by the seed


def test_a_reset_starts_the_stream_again(built: Build) -> None:
    stimulus = Stimulus(seed=3, stall_output=0.3, resets=(0, 20, 21, DEPTH + 900), reset_cycles=1)
    result = run_bulk(toy_job(DEPTH + 50, {5: "value"}), built, stimulus)
    assert kinds(result) == []
    assert result.beats_out == DEPTH + 50
    assert {d.beat for d in result.differences} == {5}
    assert result.differing > 1  # once in each pass that comes so far


def test_a_wrong_value_is_placed(built: Build) -> None:
    job = toy_job(12, {7: "value"})
    result = run_bulk(job, built)
    (difference,) = result.differences
    assert (difference.beat, difference.cycle) == (7, 8)
    assert (difference.expected, difference.actual) == ("04", "05")
    mismatch = findings(job, result).mismatch
    assert mismatch is not None
    assert (mismatch.index, mismatch.expected, mismatch.actual) == ((0, 4), 4, 5)
    assert (mismatch.count, mismatch.total, mismatch.cycle) == (1, 12, 8)


def test_tlast(built: Build) -> None:
    job = toy_job(12, {7: "tlast"})
    result = run_bulk(job, built)
    (difference,) = result.differences
    assert (difference.expected_last, difference.actual_last) == ("1", "0")
    found = findings(job, result)
    assert found.mismatch is None
    assert found.others == ("tlast is 0, not 1, at output beat 7 (cycle 8)",)


def test_a_swallowed_beat_leaves_one_outstanding(built: Build) -> None:
    result = run_bulk(toy_job(12, {7: "swallow"}), built, Stimulus(idle_limit=LIMIT))
    assert kinds(result) == ["hang"]
    assert "12 of 12 beats accepted, 1 of 12 results outstanding" in result.problems[0].message
    assert result.differences[0].beat == 7
    assert not result.agrees


def test_a_swallowed_last_beat(built: Build) -> None:
    result = run_bulk(toy_job(12, {11: "swallow"}), built, Stimulus(idle_limit=LIMIT))
    assert (kinds(result), result.differing) == (["hang"], 0)


def test_a_repeated_beat(built: Build) -> None:
    result = run_bulk(toy_job(12, {11: "repeat"}), built)
    assert (kinds(result), result.differing, result.beats_out) == (["extra"], 0, 13)
    assert "12 expected" in result.problems[0].message


def test_a_design_that_stops(built: Build) -> None:
    result = run_bulk(toy_job(12, {3: "stop"}), built, Stimulus(idle_limit=LIMIT))
    assert kinds(result) == ["hang"]
    assert f"no progress for {LIMIT} cycles" in result.problems[0].message
    assert "4 of 12 beats accepted, 8 of 12 results outstanding" in result.problems[0].message


@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_a_design_that_never_falls_silent(built: Build, stall: float) -> None:
    stimulus = Stimulus(seed=1, stall_output=stall, idle_limit=LIMIT)
    result = run_bulk(toy_job(12, {3: "babble"}), built, stimulus, timeout=60)
    assert kinds(result) == ["extra", "hang"]
    assert (result.beats_in, result.differing) == (4, 8)  # the other eight of twelve are wrong
    assert result.beats_out > 12


@pytest.mark.parametrize(("fault", "kind"), [("change", "unstable"), ("withdraw", "dropped")])
def test_handshake(built: Build, fault: str, kind: str) -> None:
    faults = dict.fromkeys(range(10, 20), fault)
    stimulus = Stimulus(seed=1, stall_output=0.5, idle_limit=LIMIT)
    result = run_bulk(toy_job(40, faults), built, stimulus)
    assert kind in kinds(result)
    assert run_bulk(toy_job(40), built, stimulus).agrees


def test_tvalid_in_reset(built: Build) -> None:
    stimulus = Stimulus(stall_output=0.9, resets=(30,), reset_cycles=4, idle_limit=LIMIT)
    faults = dict.fromkeys(range(40), "stale")
    assert "reset" in kinds(run_bulk(toy_job(40, faults), built, stimulus))


def test_tvalid_must_not_wait_for_tready(built: Build) -> None:
    job = toy_job(12, {4: "late"})
    assert run_bulk(job, built).agrees  # unseen while tready is high
    stimulus = Stimulus(wait_for_valid=True, idle_limit=LIMIT)
    assert run_bulk(toy_job(12), built, stimulus).agrees
    assert kinds(run_bulk(job, built, stimulus)) == ["hang"]


def test_x_on_tdata_is_x(tmp_path: Path) -> None:
    job = toy_job(12, {7: "tdata_x"})
    result = run_bulk(job, toy_build(tmp_path, "icarus"))
    (difference,) = result.differences
    assert difference.actual == "b0000010x"
    mismatch = findings(job, result).mismatch
    assert mismatch is not None
    assert (mismatch.index, mismatch.expected, mismatch.actual) == ((0, 4), 4, "0000010x")
    assert (mismatch.count, mismatch.histogram) == (1, ())


def test_x_on_tvalid_is_told(tmp_path: Path) -> None:
    result = run_bulk(toy_job(12, {7: "tvalid_x"}), toy_build(tmp_path, "icarus"))
    assert kinds(result) == ["unknown"]
    assert not result.agrees


def test_every_difference_is_counted_and_some_are_kept(built: Build) -> None:
    job = toy_job(100, dict.fromkeys(range(0, 100, 2), "value"))
    result = run_bulk(job, built, limit=3)
    assert (result.differing, [d.beat for d in result.differences]) == (50, [0, 2, 4])
    mismatch = findings(job, run_bulk(job, built)).mismatch
    assert mismatch is not None
    assert mismatch.count == 50


def test_waves_of_a_window(tmp_path: Path) -> None:
    build = toy_build(tmp_path, "icarus", waves=True)
    path = tmp_path / "w.vcd"
    result = run_bulk(toy_job(5000), build, window=Window(1000, 1010, path))
    assert result.cycles == 1011
    times = [int(line[1:]) for line in path.read_text().splitlines() if line.startswith("#")]
    assert len(times) > 10
    assert max(times) - min(times) <= 11 * 10  # ns
    with pytest.raises(UsageError, match="waves"):
        run_bulk(toy_job(5), toy_build(tmp_path, "icarus"), window=Window(0, 1, path))


def test_a_killed_simulator_gives_no_result(built: Build) -> None:
    killer = threading.Timer(0.7, _kill_children)
    killer.start()
    with pytest.raises(SimulationError, match=r"was killed by SIGKILL.*toy.case|toy.case.*SIGKILL"):
        run_bulk(toy_job(8, {0: "stop"}), built, Stimulus(idle_limit=2**31 - 1))
    killer.join()


def _kill_children() -> None:
    for pid in _children(os.getpid()):
        os.kill(pid, signal.SIGKILL)


def _children(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def test_a_simulator_that_takes_too_long_is_killed(built: Build) -> None:
    started = time.monotonic()
    with pytest.raises(SimulationError, match="took too long and was killed"):
        run_bulk(toy_job(8, {0: "stop"}), built, Stimulus(idle_limit=2**31 - 1), timeout=0.5)
    assert time.monotonic() - started < 30
    assert not [pid for pid in _children(os.getpid()) if _name(pid) in ("vvp", "sim")]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


# A shell's background job begins with interrupts ignored, and what it starts does too.
_ORPHAN = """
import signal
import sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
from qsim.cosim.lanes import Stimulus, run_bulk
from tests.qsim.cosim.simulators.toy_rtl import toy_build, toy_job
build = toy_build(Path(sys.argv[1]), "icarus")
print("started", flush=True)
run_bulk(toy_job(8, {0: "stop"}), build, Stimulus(idle_limit=2**31 - 1))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_orphan(tmp_path: Path, number: signal.Signals) -> None:
    script = subprocess.Popen(
        [sys.executable, "-c", _ORPHAN, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )
    assert script.stdout is not None
    with script:
        try:
            assert script.stdout.readline() == b"started\n"
            children = _eventually(lambda: [p for p in _children(script.pid) if _name(p) == "vvp"])
            script.send_signal(number)
            script.wait(30)
        finally:
            script.kill()
    assert _eventually(lambda: not Path(f"/proc/{children[0]}").exists() or _dead(children[0]))


def _dead(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _eventually(condition):
    for _ in range(300):
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come to pass")

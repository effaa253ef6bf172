"""What a watcher wrote is read strictly, and told in the names of the design's ports."""

from __future__ import annotations

from pathlib import Path

import pytest

from qsim.cosim.lanes.interface import SimulationError, Stimulus
from qsim.cosim.lanes.results import Expectation, read_results
from qsim.cosim.lanes.watch import read_watch
from qsim.cosim.simulators import Handshake, Watched

RESULTS = Handshake(True, "out_valid", "out_ready", "out_last", (("low", 4), ("high", 6)))
START = Handshake(False, "start", "busy", busy=True)
STATE = "state 0 0 265 1 7 9\nend\n"
NONCE = "00000000000000ab"


def told(tmp_path: Path, handshake: Handshake, text: str) -> tuple[list[str], list[str]]:
    (tmp_path / "watch.0.txt").write_text(text)
    problems, states = read_watch(tmp_path, Watched((handshake,)), 165)
    return [p.message for p in problems], [state.stuck() for state in states]


def test_a_port_is_named_with_what_it_was_and_is(tmp_path: Path) -> None:
    lines = "rule changed 185 1 0000001:0101 1000001:0x01\n".replace(":", "") + STATE
    messages, _ = told(tmp_path, RESULTS, lines)
    (message,) = messages
    low, last = message.split("; ")
    assert low == "low changed from 0x5 to 0b0x01"
    assert last == (
        "out_last changed from 0x0 to 0x1 while out_valid waited for out_ready (cycle 2)"
    )


@pytest.mark.parametrize(
    ("handshake", "line", "message"),
    [
        (RESULTS, "withdrawn 175 3 - -", "out_valid was taken back before out_ready came (cycle 1"),
        (RESULTS, "surplus 175 3 - -", "gave a result that no operation asked for (cycle 1, the"),
        (RESULTS, "unknown 175 1 - -", "out_valid is x or z (cycle 1)"),
        (RESULTS, "last 175 1 0 x", "out_last is x, not 0, with a result (cycle 1)"),
        (RESULTS, "reset 165 1 - -", "is active, or unknown, at the end of reset (cycle 0"),
        (START, "unknown 175 1 - -", "busy is x or z while an operation waits for start (cycle 1)"),
    ],
)  # fmt: skip
def test_every_rule_is_told(tmp_path: Path, handshake: Handshake, line: str, message: str) -> None:
    ((first,), _) = told(tmp_path, handshake, f"rule {line}\n{STATE}")
    assert message in first


@pytest.mark.parametrize(
    ("handshake", "state", "waits"),
    [
        (RESULTS, "1 0 265 1", "out_valid has waited for out_ready since cycle 10"),
        (RESULTS, "0 1 265 2", "2 operations in the design, out_valid inactive since cycle 10"),
        (RESULTS, "0 0 265 0", ""),
        (START, "1 0 265 0", "busy has held start back since cycle 10"),
        (START, "0 1 265 0", ""),
    ],
)
def test_what_a_handshake_waits_for(
    tmp_path: Path, handshake: Handshake, state: str, waits: str
) -> None:
    assert told(tmp_path, handshake, f"state {state} 7 9\nend\n") == ([], [waits])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ended before its watchers did"),
        ("state 0 0 265 1 7 9\n", "ended before its watchers did"),
        ("rule odd 1 1 - -\n" + STATE, "has a line 'rule odd 1 1 - -'"),
        ("state 0 0 265\nend\n", "has a line 'state 0 0 265'"),
        ("rule changed 185 1 01 11\n" + STATE, "has 2 bits, not those of its ports"),
    ],
)
def test_what_is_no_result(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        told(tmp_path, RESULTS, text)


def test_stalls_have_the_names_of_the_ports(tmp_path: Path) -> None:
    (tmp_path / "watch.0.txt").write_text(STATE)
    _, (state,) = read_watch(tmp_path, Watched((RESULTS,)), 165)
    assert state.stalls() == {"out_valid paused": 7, "out_valid held up by out_ready": 9}
    _, (state,) = read_watch(tmp_path, Watched((Handshake(False, "go"),)), 165)
    assert state.stalls() == {"go paused": 7}


def test_a_watcher_without_a_file_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="ended before its watchers did"):
        read_watch(tmp_path, Watched((RESULTS,)), 165)


def test_what_the_ports_showed_is_not_told_again_of_the_stream(tmp_path: Path) -> None:
    (tmp_path / "watch.0.txt").write_text(f"rule withdrawn 175 1 - -\n{STATE}")
    text = f"bulk {NONCE}\nP 3 1 0\nP 5 0 0\nP 1 4 0\nend {NONCE} 4 4 4 0 165\n"
    (tmp_path / "results.txt").write_text(text)
    wanted = Expectation(NONCE, 8, 4, 4, Stimulus(), Watched((RESULTS,)))
    problems = read_results(tmp_path / "results.txt", wanted, 0.5).problems
    assert [problem.kind for problem in problems] == ["dropped", "extra"]
    assert problems[0].message.startswith("out_valid was taken back")

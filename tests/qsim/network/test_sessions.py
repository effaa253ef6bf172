"""Sessions: states from step to step, apart from one another; files, refusals, memory."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import hw_models as hw
import qsim
from qsim.network import Lowered, State, Step, ValueSpec, from_bytes, integer_boundary, to_bytes
from qsim.program import Call, Program, TensorSpec

if TYPE_CHECKING:
    from pathlib import Path

I8, I64 = hw.FixedFormat(8), hw.FixedFormat(64)
LENGTH = 4


def codes(name: str, *shape: int) -> TensorSpec:
    return TensorSpec(name, shape, I8, 0.5, 3)


def value(name: str, *shape: int) -> ValueSpec:
    return ValueSpec(name, shape, "int8", 0.5, 3, I8)


def program(batch: int, rows: int, *, ring: bool) -> Program:
    """Write rows, and hand on the codes of the rows doubled: what else a step may return."""
    cache_, new = codes("cache", batch, LENGTH, 2), codes("rows", batch, rows, 2)
    made = [dataclasses.replace(cache_, name="y"), dataclasses.replace(new, name="seen")]
    places = TensorSpec("pos", (rows,), I64)
    calls = (
        Call("clamp", "", "clamp", ("rows",), "seen", {"lo": -9, "hi": 9}),
        Call("w", "attn", "cache_write", ("cache", "seen", "pos"), "y", {"axis": 1, "ring": ring}),
    )
    tensors = {spec.name: spec for spec in (cache_, new, *made, places)}
    return Program("p", ("cache", "rows", "pos"), ("seen", "y"), tensors, {}, calls)


@cache
def network(batch: int = -1, rows: int = 1, *, ring: bool = False, shown: bool = False) -> Lowered:
    """A cache of four rows; ``shown``: its new value is an output as well."""
    given = [value("r", batch, rows, 2), ValueSpec("at", (rows,), "int64", None, 0, I64)]
    outputs = [value("out", batch, rows, 2), value("made", batch, LENGTH, 2)][: 1 + shown]
    step = Step("program", "p", ("c", "r", "at"), ("out", "made"), {"program": 0})
    state = State("k_cache", value("c", batch, LENGTH, 2), "made", np.array(3, np.int8))
    target = qsim.Target.load("integer-transformer")
    return Lowered(
        target, given, outputs, [step], [program(batch, rows, ring=ring)], states=[state]
    )


def row(number: int, batch: int = 1, rows: int = 1) -> np.ndarray[Any, Any]:
    return np.full((batch, rows, 2), number, np.int8)


def held(session: Any, sample: int = 0) -> list[int]:
    found: list[int] = session.states["k_cache"][sample, :, 0].tolist()
    return found


def test_states_go_from_step_to_step_and_sessions_apart() -> None:
    one, two = network().session(), network().session(batch=2)
    for at in range(3):
        one(row(at), np.array([at]))
    two(row(7, batch=2), np.array([2]))
    assert (held(one), held(two), held(two, 1)) == ([0, 1, 2, 3], [3, 3, 7, 3], [3, 3, 7, 3])
    assert (one.steps, two.steps, one.batch, two.batch) == (3, 1, 1, 2)
    two.reset()
    assert (held(one), held(two), two.steps) == ([0, 1, 2, 3], [3, 3, 3, 3], 0)


def test_a_plain_call_is_a_new_session_and_forgets() -> None:
    net = network(shown=True)
    for _ in range(2):
        _, made = net(row(5), np.array([0]))
        assert made[0, :, 0].tolist() == [5, 3, 3, 3]
    session = net.session()
    _, made = session(row(5), np.array([1]))
    made[:] = 9  # the caller's own
    assert held(session) == [3, 5, 3, 3]
    session.states["k_cache"][:] = 9  # a copy
    assert held(session) == [3, 5, 3, 3]


def test_one_step_of_many_rows_is_many_steps_of_one() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-20, 20, (1, 3, 2), dtype=np.int8)
    at_once, stepwise = network(rows=3).session(), network().session()
    at_once(x, np.arange(3))
    for t in range(3):
        stepwise(x[:, t : t + 1], np.array([t]))
    np.testing.assert_array_equal(at_once.states["k_cache"], stepwise.states["k_cache"])
    # And one goes on where the other is.
    other = network().session()
    other.restore(at_once.states, steps=3)
    for session in (other, stepwise):
        session(row(8), np.array([3]))
    assert held(other) == held(stepwise) == [*np.clip(x[0, :, 0], -9, 9), 8]
    assert other.steps == 4


def test_a_ring_takes_the_place_of_the_oldest() -> None:
    session = network(ring=True).session()
    for at in range(6):
        session(row(at), np.array([at]))
    assert held(session) == [4, 5, 2, 3]


def test_traced_steps_and_the_stream_agree() -> None:
    run, traced = network().session(), network().session()
    for at in (1, 3):
        y = run(row(at * 6), np.array([at]))
        found = traced.trace(row(at * 6), np.array([at]))
        np.testing.assert_array_equal(found.outputs[0], y)
        np.testing.assert_array_equal(found.tensors["made"], traced.states["k_cache"])
        assert held(run) == held(traced)
    assert found.tensors["c"][0, :, 0].tolist() == [3, 6, 3, 3]  # what the step read


def test_files_hold_states(tmp_path: Path) -> None:
    net = network()
    net.save(tmp_path / "net.qsim")
    again = qsim.load(tmp_path / "net.qsim")
    assert again.digest == net.digest
    assert again.programs[0].states == (("cache", "y"),)
    session = again.session()
    session(row(1), np.array([2]))
    assert held(session) == [3, 3, 1, 3]
    four = dataclasses.replace(net.states[0], initial=np.array(4, np.int8))
    other = Lowered(net.target, net.inputs, net.outputs, net.steps, net.programs,
                    states=[four])  # fmt: skip
    without = Lowered(net.target, (*net.inputs, net.states[0].value), net.outputs, net.steps,
                      [dataclasses.replace(net.programs[0], states=())])  # fmt: skip
    assert len({net.digest, other.digest, without.digest}) == 3
    assert to_bytes(from_bytes(to_bytes(net))) == to_bytes(net)
    assert integer_boundary(net).digest == net.digest


def test_memory_keeps_a_state_and_makes_its_new_value_in_its_place() -> None:
    allocation = network().programs[0].allocate()
    places = {place.tensor: place for place in allocation.places()}
    last = len(allocation.steps) - 1
    assert allocation.homes.instead["y"] == "cache"
    assert (places["cache"].first, places["y"].last) == (0, last)
    buffer = allocation.plan.buffers["cache"]
    assert (buffer.first, buffer.last) == (0, last)


REFUSED = {
    "full": (
        lambda: network().session()(row(0), np.array([4])),
        (
            "layer 'attn', call 'w' (cache_write): cache_write: the cache is full: a position "
            "must be a row of the 4 that the cache has, not 4 of new row 0 (accepted: 0..3; a "
            "ring takes any)"
        ),
    ),
    "before the first": (
        lambda: network().session()(row(0), np.array([-1])),
        (
            "layer 'attn', call 'w' (cache_write): cache_write: a position must be a row of the "
            "4 that "
            "the cache has, not -1 of new row 0 (accepted: 0..3; a ring takes any)"
        ),
    ),
    "another batch": (
        lambda: network().session()(row(0, batch=2), np.array([0])),
        (
            "input 'r': the session holds states of a batch of 1, not 2 (accepted: 1, or a "
            "session of "
            "its own with batch=2)"
        ),
    ),
    "a fixed batch": (
        lambda: network(batch=1).session(4),
        (
            "session: the model fixes the batch of its states, so batch=4 is none of theirs "
            "(accepted: "
            "1)"
        ),
    ),
    "no batch": (
        lambda: network().session(0),
        "batch must be a number of samples, not 0 (accepted: 1 or more)",
    ),
    "a state that is missing": (
        lambda: network().session().restore({}),
        "states must be those of the network, not 'k_cache' (accepted: k_cache)",
    ),
    "a state of another shape": (
        lambda: network().session().restore({"k_cache": np.zeros((1, 5, 2), np.int8)}),
        (
            "state 'k_cache': shape must be [N, 4, 2], not [1, 5, 2] (accepted: [N, 4, 2], N "
            "any batch "
            "size)"
        ),
    ),
    "no tokens": (
        lambda: network().session().generate([], 3),
        "tokens must be integers, not [] (accepted: one token or more)",
    ),
    "no language model": (
        lambda: network().session().generate([1], 3),
        (
            "the network must take one token a step, not 'r int8 [-1, 1, 2], at int64 [1]' "
            "(accepted: "
            "(tokens [1, 1]) or (tokens [1, 1], position [1]), integers, for one token a step)"
        ),
    ),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_one_line_says_what_is_refused(name: str) -> None:
    call, text = REFUSED[name]
    with pytest.raises(qsim.QsimError) as caught:
        call()
    assert str(caught.value) == text


def test_a_refused_step_changes_nothing() -> None:
    session = network().session()
    session(row(1), np.array([0]))
    with pytest.raises(qsim.QsimError):
        session(row(2), np.array([4]))
    assert (held(session), session.steps) == ([1, 3, 3, 3], 1)


def test_states_that_do_not_fit_are_refused() -> None:
    net = network()
    (state,) = net.states
    parts: Any = (net.target, net.inputs, net.outputs, net.steps, net.programs)
    for wrong, text in (
        ([state, dataclasses.replace(state, value=value("d", 1))], "two states have one name"),
        ([dataclasses.replace(state, made="nobody")], "nothing makes 'nobody'"),
        ([dataclasses.replace(state, made="at")], "its new value must have its format"),
    ):
        with pytest.raises(qsim.QsimError, match=text):
            Lowered(*parts, states=wrong)
    for initial, text in (
        (np.array(0), "initial must be an array of its dtype, not 'int64'"),
        (np.zeros(3, np.int8), r"initial must have its shape, or broadcast to it, not '\[3\]'"),
    ):
        with pytest.raises(qsim.QsimError, match=text):
            State("s", state.value, "made", initial)


@pytest.mark.parametrize(
    ("states", "text"),
    [
        ((("cache", "y"), ("cache", "seen")), "a tensor must belong to one state"),
        ((("y", "cache"),), "a state must be an input and an output"),
        ((("cache", "seen"),), "must have the spec of its input"),
        (("ab",), "states must be pairs of names|must be a list of names"),
    ],
)
def test_pairs_of_a_program_are_checked(states: Any, text: str) -> None:
    with pytest.raises(qsim.QsimError, match=text):
        dataclasses.replace(program(-1, 1, ring=False), states=states)

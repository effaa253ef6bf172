"""Bad arguments of every public function: one line names the rule, the offender, what is accepted.

Every argument of every function and value object gets every value that its kind cannot take, one at
a time and, at random, several together. Nothing but ``ContractError``, ``NonFiniteError`` and
``AccumulatorOverflowError`` may come out (and ``TypeError`` where an argument is missing).
"""

from __future__ import annotations

import numpy as np
import pytest

import hw_models as hw
from tests.hw_models.validation import (
    adders,
    arithmetic,
    averages,
    floats,
    formats,
    moves,
    requantizing,
    resizes,
    run_time,
    schemes,
    softmaxes,
    sums,
    table_units,
    tables,
    transposed,
    units,
)
from tests.hw_models.validation.target import findings, problem_of

_FILES = (
    adders, arithmetic, averages, floats, formats, moves, requantizing, resizes, run_time,
    schemes, softmaxes, sums, table_units, tables, transposed, units,
)  # fmt: skip
TARGETS = {name: target for file in _FILES for name, target in file.TARGETS.items()}


@pytest.mark.parametrize("name", TARGETS)
def test_every_bad_argument_is_refused_in_one_line(name: str) -> None:
    assert list(findings(name, TARGETS[name])) == []


@pytest.mark.parametrize("name", TARGETS)
def test_several_bad_arguments_together(name: str) -> None:
    target, rng, found = TARGETS[name], np.random.default_rng(20240607), []
    names = list(target.bad)
    for _ in range(200):
        chosen = rng.permutation(len(names))[: int(rng.integers(1, len(names) + 1))]
        arguments = dict(target.good)
        for i in chosen:
            values = target.bad[names[i]]
            arguments[names[i]] = values[int(rng.integers(len(values)))]
        problem = problem_of(target, arguments, must_refuse=True)
        if problem:
            found.append(
                f"{name}({ {names[i]: arguments[names[i]] for i in chosen}!r:.200}): {problem}"
            )
    assert found == []


@pytest.mark.parametrize("name", [n for n, t in TARGETS.items() if t.good])
def test_a_missing_argument_is_a_type_error(name: str) -> None:
    target = TARGETS[name]
    first, *rest = target.good
    with pytest.raises(TypeError, match=first):
        target.call(**{n: target.good[n] for n in rest})


def test_every_public_function_is_here() -> None:
    left_out = {"ROUNDINGS", "FLOAT_BIAS_KINDS", "Ledger", "Register", "Requantizer"}
    left_out |= {"AccumulatorOverflowError", "ContractError", "NonFiniteError", "IndexRangeError"}
    # A format without attributes, its one value, and an alias.
    left_out |= {"FloatFormat", "FLOAT32", "Format"}
    # Made by functions that are here: correlation_plan and its like.
    plans = {"CorrelationPlan", "LinearPlan", "RequantizePlan", "TransposedCorrelationPlan"}
    assert set(hw.__all__) - left_out - plans <= set(TARGETS)
    assert len(TARGETS) == sum(len(file.TARGETS) for file in _FILES)

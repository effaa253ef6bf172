"""Traced values: a definition gives the same of them, and tells what it did."""

from __future__ import annotations

import pytest

from hw_models.formats import Accumulator, FixedFormat
from hw_models.lookup import reference as look_up
from hw_models.pools.avg_pool import reference as average
from hw_models.requantize import reference
from hw_models.rounding import DETERMINISTIC, ROUNDINGS, round_shift
from hw_models.schemes import FIXED_REFERENCES, FixedPoint, PowerOfTwo
from hw_models.tracing import Step, Table, Traced, choose, step, steps


def told(result: Traced) -> list[tuple[str, str, int]]:
    return [(each.name, each.formula, each.value) for each in steps(result)]


def test_single_rounding_is_told_step_by_step() -> None:
    acc = Traced.operand(-1000, "acc")
    made = reference(acc, FixedPoint(5, 4, "single"), 3, clamp=(-100, 100), select=choose)
    assert told(made) == [
        ("offset", "acc - 0", -1000),
        ("product", "offset * 5", -5000),
        ("nudge", "product + 8", -4992),
        ("shift", "nudge >> 4", -312),
        ("zero_point", "shift + 3", -309),
        ("clamp", "-100 as zero_point < -100", -100),
    ]
    assert steps(made)[3].note == "half_up"
    assert steps(made)[-1].note == "-100..100"


def test_only_what_the_result_depends_on_is_told() -> None:
    made = round_shift(Traced.operand(-5, "x"), 1, "half_away", select=choose)
    assert told(made) == [("nudge", "-x + 1", 6), ("shift", "-(nudge >> 1) as x < 0", -3)]


def test_a_name_that_comes_again_has_a_number() -> None:
    acc = Traced.operand(-123456, "acc")
    made = reference(acc, FixedPoint(1518500250, 40), 3, select=choose)
    names = [each.name for each in steps(made)]
    assert names == [
        "offset", "left", "product", "nudge.1", "high", "nudge.2", "shift", "zero_point", "clamp",
    ]  # fmt: skip
    assert "-high + 256" in [each.formula for each in steps(made)]


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_every_rounding_gives_the_same_of_traced_values(rounding: str) -> None:
    for x in range(-20, 21):
        for k in (-2, 0, 1, 3):
            wanted = round_shift(x, k, rounding, draw=0x9E3779B97F4A7C15)
            found = round_shift(
                Traced.operand(x, "x"),
                k,
                rounding,
                draw=0x9E3779B97F4A7C15,
                select=choose,
            )
            assert int(found) == wanted == steps(found)[-1].value


@pytest.mark.parametrize("rounding", FIXED_REFERENCES)
def test_every_fixed_point_gives_the_same_of_traced_values(rounding: str) -> None:
    for multiplier, shift in ((1518500250, 38), (3 << 28, 31), ((1 << 31) - 1, 20)):
        scheme = FixedPoint(multiplier, shift, rounding)
        for x in (-500_001, -3, 0, 1, 2, 77, 400_000):
            found = reference(Traced.operand(x, "acc"), scheme, select=choose)
            assert int(found) == reference(x, scheme)


def test_what_a_formula_says_is_what_it_gives() -> None:
    """Formulas are Python: each one, computed from the steps before it, is its value."""
    schemes = [
        *(FixedPoint(1518500250, 38, rounding) for rounding in FIXED_REFERENCES),
        *(PowerOfTwo(5, rounding) for rounding in DETERMINISTIC),
        PowerOfTwo(-2, "floor"),
        FixedPoint(-(1 << 31), 2),
    ]
    for scheme in schemes:
        for x in (-123457, -80, -16, 0, 16, 48, 5000, 123456):
            known: dict[str, int] = {"acc": x}
            for each in steps(reference(Traced.operand(x, "acc"), scheme, 7, select=choose)):
                assert formula_value(each, known) == each.value, each
                known[each.name] = each.value


def formula_value(each: Step, known: dict[str, int]) -> int:
    formula, _, reason = each.formula.partition(" as ")
    if reason:
        assert evaluated(reason, known), each
    return evaluated(formula, known)


def evaluated(text: str, known: dict[str, int]) -> int:
    for name in sorted(known, key=len, reverse=True):
        text = text.replace(name, f"({known[name]})")
    assert set(text) <= set("0123456789()+-*/%<>=!&|^ "), text
    return int(eval(text))  # noqa: S307  # digits and operators alone


def test_sums_start_with_their_first_term() -> None:
    codes = [Traced.operand(code) for code in (1, 2, -5, 9)]
    made = average(codes, "half_away", select=choose)
    assert told(made)[0] == ("sum", "1 - 0 + (2 - 0) + ((-5) - 0) + (9 - 0)", 7)
    assert told(made)[1:3] == [("floor", "sum // 4", 1), ("mean", "floor + 1", 2)]
    assert steps(made)[1].note == "with 3 left over"


def test_an_entry_of_a_table_is_read_where_the_definition_reads_it() -> None:
    made = look_up(Traced.operand(-1, "code"), Table([10, 11, 12, 13]), FixedFormat(2))
    assert told(made) == [("entry", "code - (-2)", 1), ("value", "table[entry]", 11)]


def test_a_register_that_wraps_says_so() -> None:
    held = Accumulator(8).hold(Traced.operand(200, "sum"), choose)
    (only,) = steps(held)
    assert (only.value, only.note) == (-56, "8 bits that wrap")


def test_integers_pass_a_step_unchanged() -> None:
    value = 12
    assert step(value, "name", "note") is value


def test_a_long_sum_is_told_to_its_end() -> None:
    total = Traced.operand(0, "start")
    for _ in range(5000):
        total = step(total + 1, "sum")
    assert len(steps(total)) == 5000
    assert steps(total)[-1].value == 5000

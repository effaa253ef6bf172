"""Every place that must know a rounding knows it, and who adds one is told of all of them."""

from __future__ import annotations

import re
from typing import get_args

import numpy as np
import pytest

from hw_models import rounding
from hw_models.pools.avg_pool import _divide, divide, division_code
from hw_models.requantization.exact import rounding_table
from hw_models.requantization.fast import prepare
from hw_models.rounding import (
    DETERMINISTIC,
    DIVISIONS,
    DRAWING,
    ROUNDINGS,
    SHIFTS_ONLY,
    round_shift,
)
from hw_models.schemes import PowerOfTwo
from qsim.target import words
from tests.hw_models.places.asking import in_docs, in_module, missing, missing_in_a_copy

VALUES = range(-40, 41)
SHIFTS = (1, 2, 4)


class Bits:
    """An integer that can do only what a solver's bit-vector can."""

    def __init__(self, value):
        self.value = value.value if isinstance(value, Bits) else value

    def __add__(self, other):
        return Bits(self.value + Bits(other).value)

    def __sub__(self, other):
        return Bits(self.value - Bits(other).value)

    def __mul__(self, other):
        return Bits(self.value * Bits(other).value)

    def __rshift__(self, other):
        return Bits(self.value >> other)

    def __and__(self, other):
        return Bits(self.value & other)

    def __or__(self, other):
        return Bits(self.value | other)

    def __neg__(self):
        return Bits(-self.value)

    def __lt__(self, other):
        return Bits(self.value < other)

    def __bool__(self):
        raise TypeError("a bit-vector is no bool")


def choose(condition, then, other):
    return then if condition.value else other


def subsets(name):
    assert re.search(rf"^\| {name} ", rounding.__doc__, re.MULTILINE)
    assert (name in DETERMINISTIC) != (name in DRAWING)
    assert (name in DIVISIONS) != (name in SHIFTS_ONLY)
    assert name in DETERMINISTIC or name not in DIVISIONS


def definition(name):
    assert [round_shift(x, -2, name) for x in VALUES] == [4 * x for x in VALUES]
    for k in SHIFTS:
        assert all(abs(round_shift(x, k, name) * 2**k - x) <= 2**k for x in VALUES)


def bit_vectors(name):
    for k in (-1, 0, *SHIFTS):
        for x in VALUES:
            assert round_shift(Bits(x), k, name, select=choose).value == round_shift(x, k, name)


def constants(name):
    for k in SHIFTS:
        ((s, left, bias, neg, odd, jam),) = rounding_table(np.array([k]), name).tolist()
        for p in VALUES:
            nudged = p + bias + (neg if p < 0 else 0) + odd * (p >> s & 1)
            assert ((nudged >> s) | jam) << left == round_shift(p, k, name)


def vectors(name):
    made = prepare(PowerOfTwo(4, name), -128, 127, 3)
    assert (made is None) == (name in DRAWING)


def division(name):
    if name not in SHIFTS_ONLY:
        for k in SHIFTS:
            for x in VALUES:
                assert divide(x, 1 << k, name) == round_shift(x, k, name)


def dividing_kernels(name):
    if name not in SHIFTS_ONLY:
        code = division_code(name)
        assert code == ROUNDINGS.index(name)
        for count in (1, 3, 4, 6):
            for x in VALUES:
                assert _divide.py_func(x, count, code) == divide(x, count, name)


def literals(name):
    assert name in get_args(words.ShiftRounding)
    assert (name in get_args(words.DeterministicRounding)) == (name in DETERMINISTIC)
    assert (name in get_args(words.DivisionRounding)) == (name in DIVISIONS)


def shifting_rtl(name):
    in_module("round_shift.sv", "ROUNDING", ROUNDINGS.index(name), name)


def dividing_rtl(name):
    if name not in SHIFTS_ONLY:
        in_module("avg_pool_core.sv", "ROUNDING", ROUNDINGS.index(name), name)


PLACES = {
    "hw_models/rounding.py": subsets,
    "hw_models.rounding.round_shift": definition,
    "hw_models.rounding.round_shift, bit-vectors": bit_vectors,
    "hw_models.requantization.exact.rounding_table": constants,
    "hw_models.requantization.fast.prepare": vectors,
    "hw_models.pools.avg_pool.divide": division,
    "hw_models.pools.avg_pool.division_code": dividing_kernels,
    "qsim/target/words.py": literals,
    "rtl_tb/rtl/round_shift.sv": shifting_rtl,
    "rtl_tb/rtl/avg_pool_core.sv": dividing_rtl,
    "docs/numerics.md": lambda name: in_docs("numerics.md", rf"^\| `{name}` \|", name),
    "docs/targets.md": lambda name: in_docs("targets.md", r"^\| `requantize\.rounding` \|", name),
}


@pytest.mark.parametrize("name", ROUNDINGS)
def test_every_place_knows_every_rounding(name):
    assert missing(PLACES, name) == []


def test_the_list_of_places_is_the_one_that_is_asked():
    table = rounding.__doc__.split("| place")[1]
    assert re.findall(r"^\| ([^ |].*?) +\|", table, re.MULTILINE) == list(PLACES)


def test_a_rounding_that_is_a_name_alone_is_missed_everywhere(tmp_path):
    found = missing_in_a_copy(
        "test_rounding", "half_random", tmp_path, "rounding.py",
        '    "jam",\n    "stochastic"',
    )  # fmt: skip
    assert found == list(PLACES)


@pytest.mark.parametrize("code", [-1, 10, 11, 12])
def test_the_kernels_refuse_a_number_of_no_division(code):
    with pytest.raises(ValueError, match="no rounding of a division has this number"):
        _divide(7, 2, code)

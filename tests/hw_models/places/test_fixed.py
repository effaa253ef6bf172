"""Every place that must know a fixed-point rounding knows it, and who adds one is told of all."""

from __future__ import annotations

import re
from typing import get_args

import numpy as np
import pytest

from hw_models.requantization.exact import fixed_one, fixed_rows
from hw_models.requantization.fast import prepare
from hw_models.schemes import FIXED_REFERENCES, FixedPoint
from hw_models.schemes.fixed_point import FIXED_ROUNDINGS
from qsim.cosim.jobs.scheme_fields import fixed_code
from qsim.golden.directed.add_ties import _Rescale
from qsim.target import rules, words
from tests.hw_models.places.asking import in_docs, missing, missing_in_a_copy
from tests.tree import ROOT

VALUES = (*range(-40, 41), -(1 << 20), (1 << 20) + 12345)


def schemes(name):
    return [FixedPoint(m, s, name) for m in (1 << 30, 1234567891) for s in (29, 31, 33, 36)]


def definition(name):
    for scheme in schemes(name):
        for x in VALUES:
            exact = x * scheme.multiplier / 2**scheme.right_shift
            # s64-reduced keeps 15 bits of the multiplier.
            assert abs(scheme.reference(x) - exact) <= 1 + 2**-15 * abs(exact)
        assert scheme.operand_bits in (32, 64)


def rows(name):
    for scheme in schemes(name):
        (row,) = fixed_rows(scheme)
        for x in VALUES:
            assert fixed_one.py_func(np.int64(x), row) == scheme.reference(x)


def vectors(name):
    prepare(FixedPoint(1 << 30, 36, name), -128, 127, 3)


def literal(name):
    assert name in get_args(words.FixedRounding)
    assert 32 in rules._fixed_widths(name)


def rtl(name):
    text = (ROOT / "rtl_tb" / "rtl" / "rescale_round.sv").read_text()
    assert re.search(rf"^//   SCHEME {fixed_code(name)} \(", text, re.MULTILINE)


def ties(name):
    for scheme in schemes(name):
        values = _Rescale(scheme, np.array(VALUES, np.int64)).value.tolist()
        assert values == [scheme.reference(x) for x in VALUES]


PLACES = {
    "hw_models.schemes.fixed_point.FixedPoint": definition,
    "hw_models.requantization.exact.fixed_rows": rows,
    "hw_models.requantization.fast.prepare": vectors,
    "qsim/target/words.py": literal,
    "qsim.cosim.jobs.scheme_fields.fixed_code": rtl,
    "qsim.golden.directed.add_ties": ties,
    "docs/numerics.md": lambda name: in_docs("numerics.md", r"^\*\*", name),
    "docs/targets.md": lambda name: in_docs("targets.md", r"^\| `requantize\.rounding` \|", name),
}


@pytest.mark.parametrize("name", FIXED_ROUNDINGS)
def test_every_place_knows_every_rounding(name):
    assert missing(PLACES, name) == []


def test_every_rounding_has_a_definition():
    assert tuple(FIXED_REFERENCES) == FIXED_ROUNDINGS


def test_a_rounding_that_is_a_name_alone_is_missed_everywhere(tmp_path):
    found = missing_in_a_copy(
        "test_fixed", "triple", tmp_path, "schemes/fixed_point.py",
        '"tosa-single", "tosa-double"\n]',
    )  # fmt: skip
    assert found == list(PLACES)

"""A number or a name that stands for nothing is refused, by kernels and by definitions."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from hw_models._aligned import address
from hw_models.addition import kernels
from hw_models.addition.adders import ADD_FORMULAS
from hw_models.correlation import reference as correlate
from hw_models.dequantize import reference as dequantize_one
from hw_models.errors import ContractError
from hw_models.float_requantize import _REFERENCE, FLOAT_BIAS_KINDS, _float_bias
from hw_models.formats import Accumulator, FixedFormat
from hw_models.interpolation import reference as interpolate_one
from hw_models.moves.pad import reference as pad_line
from hw_models.packing import reference as pack_codes
from hw_models.pools.avg_pool import divide
from hw_models.products.kernels import lanes
from hw_models.quantize import reference as quantize_one
from hw_models.requantization.fast import Parameters
from hw_models.requantization.modes import MODES
from hw_models.rounding import round_shift
from hw_models.schemes import REQUANTIZERS, Requantizer
from hw_models.stream import fields as f
from hw_models.stream.loop import execute, ready
from hw_models.sub import reference as subtract

FORM = FixedFormat(8)


def test_numbers_are_positions():
    names = (kernels.TORCH, kernels.ONNX, kernels.TORCH_QUANTIZED, kernels.MLAS)
    assert ADD_FORMULAS[: len(names)] == ("torch", "onnx", "torch_quantized", "mlas")
    assert (*names, kernels.TORCH_SCALAR) == tuple(range(len(ADD_FORMULAS)))
    assert ADD_FORMULAS[kernels.TORCH_SCALAR] == "torch_scalar"
    assert len(FLOAT_BIAS_KINDS) == _REFERENCE + 1
    assert get_args(Requantizer) == REQUANTIZERS


@pytest.mark.parametrize("mode", [-1, len(ADD_FORMULAS)])
def test_no_addition_has_the_number(mode):
    one, none = np.ones(1, np.int64), np.empty(0, np.bool_)
    three = np.ones(3, np.int64)
    with pytest.raises(ValueError, match="no formula of an addition has this number"):
        kernels.float_add(
            one, one, np.empty(1, np.int32), none, three, three, three.astype(np.float32), three,
            mode,
        )  # fmt: skip


@pytest.mark.parametrize("kind", [-1, len(FLOAT_BIAS_KINDS)])
def test_no_engine_has_the_number(kind):
    x, three = np.ones((1, 1, 1), np.int64), np.ones(3, np.int64)
    with pytest.raises(ValueError, match="no engine has this number"):
        _float_bias(
            x, x.astype(np.int32), np.empty((0, 0, 0), np.bool_), three, three,
            np.ones((4, 1), np.float32), kind,
        )  # fmt: skip


def test_lanes_know_what_to_do_with_a_sum():
    one = np.ones(1, np.int64)
    with pytest.raises(ContractError, match=r"not 3 .*SUM, SATURATE, STATISTICS"):
        lanes(one, one, one, one, one, False, (1, 1), 3, 0, 0, 0, one, one)


@pytest.mark.parametrize("mode", [-1, len(MODES)])
def test_no_fast_kernel_has_the_number(mode):
    with pytest.raises(ContractError, match=f"rows of mode {mode} "):
        Parameters(mode, (), np.zeros((3, 1), np.int64))
    with pytest.raises(ContractError, match="not 2 rows of mode 0"):
        Parameters(0, (), np.zeros((2, 1), np.int64))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({f.OP: len(f.NAMES)}, "no command has this number"),
        ({f.OP: f.COPY, f.ITEM: 3}, "no copy has elements of this many bytes"),
        ({f.OP: f.AVG_POOL, f.ROUNDING: 10}, "no rounding of a division has this number"),
        ({f.OP: f.AVG_POOL, f.ROUNDING: -1}, "no rounding of a division has this number"),
        ({f.OP: f.PRODUCTS, f.KIND: f.WORDS_KIND + 1}, "no tile has this kind of codes"),
    ],
)
def test_no_command_of_a_stream_has_the_number(words, message):
    table = np.zeros((1, f.WORDS), np.int64)
    table[0, list(words)] = list(words.values())
    with pytest.raises(ValueError, match=message):
        _execute(table)


def _execute(table):
    """Execute the one command of a table."""
    table, counters = ready(table), np.zeros(2, np.int64)
    frame = np.zeros(f.FRAME_ARGUMENTS + 1, np.int64)
    frame[[f.FRAME_TABLE, f.FRAME_COUNTERS]] = address(table), address(counters)
    frame[[f.FRAME_LAST, f.FRAME_THREADS]] = 1
    execute(frame)


def _unheard(**field):
    """Return an accumulator with a field that no check has seen."""
    register = Accumulator(8)
    for name, value in field.items():
        object.__setattr__(register, name, value)
    return register


DEFINITIONS = {
    "a shift": lambda: round_shift(5, 1, "unheard-of"),
    "a division": lambda: divide(5, 2, "unheard-of"),
    "pad": lambda: pad_line([1], 1, 1, mode="unheard-of"),
    "quantize": lambda: quantize_one(1.0, 1.0, 0, FORM, "unheard-of"),
    "dequantize": lambda: dequantize_one(1, 1.0, 0, "unheard-of"),
    "interpolate": lambda: interpolate_one(0, [0, 1], FORM, FORM, "unheard-of"),
    "packing": lambda: pack_codes([1], FixedFormat(4), "unheard-of"),
    "sub": lambda: subtract(1, 1, None, negate="unheard-of"),
    "overflow": lambda: _unheard(overflow="unheard-of").hold(1),
    "at": lambda: _unheard(at="unheard-of").each_mac,
    "order": lambda: correlate(
        np.ones((1, 1, 1), np.int8), np.ones((1, 1, 1), np.int8),
        accumulator=_unheard(order="unheard-of"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", DEFINITIONS)
def test_a_definition_has_no_other_name(what):
    with pytest.raises(ContractError, match=r"not 'unheard-of' \(accepted: [a-z]"):
        DEFINITIONS[what]()

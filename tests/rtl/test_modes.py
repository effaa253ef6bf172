"""A mode number without a formula stops the build, on both simulators, with the rule in words.

Icarus 11 does not know the elaboration task ``$fatal``. What every tool refuses is an instance of a
module that is nowhere: its name is the rule.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from qsim.cosim.simulators.wrapper import RTL
from tests.rtl.test_lint import TOPS, Parameters, icarus, sources, verilator

MODES = ("SCHEME", "ROUNDING", "OVERFLOW", "SUM_RULE", "AT", "KIND")
# SCHEME of requantize.sv, and of add.sv.
POWER_OF_TWO, MULTIPLY_ADD = 2, 7
ALIGNED, MULTIPLIER = 2, 3


class Mode(NamedTuple):
    """A parameter of a module that chooses a formula: the first number that has none."""

    module: str
    name: str
    first: int
    scheme: int | None = None  # under which it matters

    def parameters(self, value: int) -> Parameters:
        own = {self.name: value}
        return own if self.scheme is None else {"SCHEME": self.scheme, **own}


CASES = [
    Mode("round_shift", "ROUNDING", 12),
    Mode("avg_pool_core", "ROUNDING", 10),
    Mode("avg_pool", "ROUNDING", 10),
    Mode("overflow", "OVERFLOW", 3),
    Mode("bias_add_core", "OVERFLOW", 3),
    Mode("bias_add", "OVERFLOW", 3),
    Mode("fixed_multiply", "SCHEME", 8),
    Mode("fixed_multiply", "SCHEME", 2),
    Mode("fixed_rescale", "SCHEME", 2),
    Mode("rescale_round", "SCHEME", 8),
    Mode("rescale_round", "ROUNDING", 12, POWER_OF_TWO),
    Mode("rescale_round", "ROUNDING", 12, MULTIPLY_ADD),
    *(
        mode
        for module in ("requantize_round", "requantize_core", "requantize", "norm", "conv_codes")
        for mode in (Mode(module, "SCHEME", 8), Mode(module, "ROUNDING", 12, POWER_OF_TWO))
    ),
    *(
        mode
        for module in ("integer_function", "rotary", "mul")
        for mode in (Mode(module, "SCHEME", 8), Mode(module, "ROUNDING", 12, POWER_OF_TWO))
    ),
    Mode("integer_function_core", "KIND", 6),
    Mode("integer_function", "KIND", 6),
    Mode("conv_codes", "SUM_RULE", 3),
    Mode("add_shifted", "SCHEME", 2),
    Mode("add_aligned", "OVERFLOW", 3),
    Mode("add_aligned", "ROUNDING", 12),
    Mode("add_multiplier", "ROUNDING", 11),
    *(
        mode
        for module in ("add_core", "add")
        for mode in (
            Mode(module, "SCHEME", 4),
            Mode(module, "ROUNDING", 12, ALIGNED),
            Mode(module, "ROUNDING", 11, MULTIPLIER),
            Mode(module, "OVERFLOW", 3, ALIGNED),
        )
    ),
    *(
        mode
        for module in ("correlation_core", "correlation", "conv_sums", "conv_engine")
        for mode in (Mode(module, "OVERFLOW", 3), Mode(module, "AT", 2))
    ),
    Mode("conv_engine", "SUM_RULE", 3),
    Mode("conv_engine", "SCHEME", 8),
    Mode("conv_engine", "ROUNDING", 12, MULTIPLY_ADD),
]


def files(module: str) -> list[str]:
    """Return the files of the smallest unit that holds a module."""
    return min((names for names in map(sources, TOPS) if f"{module}.sv" in names), key=len)


def name_of(mode: Mode) -> str:
    return "-".join(str(part) for part in mode if part is not None)


@pytest.mark.parametrize("mode", CASES, ids=name_of)
def test_a_number_without_a_formula_is_refused(mode: Mode) -> None:
    rule = f"{mode.name}_must_be_"
    for value in (mode.first, -1):
        assert rule in icarus(files(mode.module), mode.module, mode.parameters(value))
    told = verilator(files(mode.module), mode.module, mode.parameters(mode.first))
    assert re.search(rf"%Error-MODMISSING: \w+\.sv:\d+:\d+: .*'{rule}", told)


def test_every_mode_of_every_module_is_tried() -> None:
    declared = {
        (path.stem, name)
        for path in RTL.glob("*.sv")
        for name in re.findall(r"parameter int (\w+)", path.read_text("utf-8"))
        if name in MODES
    }
    assert declared == {(mode.module, mode.name) for mode in CASES}


def test_no_case_on_a_mode_gives_a_number_by_default() -> None:
    """A default of a case on a parameter is x: it is never reached, and would be seen."""
    for path in RTL.glob("*.sv"):
        text = path.read_text("utf-8")
        for body in re.findall(rf"case \((?:{'|'.join(MODES)})\)(.*?)endcase", text, re.S):
            assert re.search(r"default: \w+ = \d*'bx;", body), path.name

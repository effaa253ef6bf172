"""How scale and zero point follow from the ends of a range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import numpy as np

from hw_models._arguments import require_flag, require_name, show
from hw_models._pointwise import require_int
from hw_models.errors import ContractError
from hw_models.formats import is_int

Choice: TypeAlias = Literal[
    "torch", "fbgemm", "executorch", "onnx", "power-of-two", "torch-per-token", "no-clipping"
]
CHOICES: Final[tuple[Choice, ...]] = get_args(Choice)
NonFinite: TypeAlias = Literal["refuse", "propagate"]
NON_FINITE: Final[tuple[NonFinite, ...]] = get_args(NonFinite)
_SYMMETRIC: Final = ("torch", "power-of-two", "torch-per-token", "no-clipping")
_EPS: Final = float(np.finfo(np.float32).eps)
_MAX: Final = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class QParamsRule:
    """How scale and zero point follow from the ends of a range.

    Attributes:
        formula: the order of operations.
        low, high: the codes that are used, -128..127 or 0..255 or fewer.
        symmetric: the zero point is the middle code.
        eps: the least scale of the formulas that have one (of torch-per-token, where it is
            symmetric, the least reach).
        non_finite: what becomes of infinities, and of a range whose scale is no positive finite
            number: refused, or, under the formula onnx, what ONNX Runtime makes of them. A range
            with NaN is refused by both.
    """

    formula: Choice = "torch"
    low: int = -128
    high: int = 127
    symmetric: bool = False
    eps: float = _EPS
    non_finite: NonFinite = "refuse"

    def __post_init__(self) -> None:
        require_name(self.formula, "QParamsRule.formula", CHOICES)
        require_flag(self.symmetric, "QParamsRule.symmetric")
        for name in ("low", "high"):
            value = require_int(getattr(self, name), f"QParamsRule.{name}", -(1 << 15), 1 << 16)
            object.__setattr__(self, name, value)
        if not self.low < self.high or not self.low <= 0 <= self.high:
            raise ContractError(
                f"QParamsRule.low and high must be in order, with 0 among them, not "
                f"{self.low}..{self.high} (accepted: -128..127, 0..255, ...)"
            )
        if self.symmetric and self.formula not in _SYMMETRIC:
            raise ContractError(
                "QParamsRule.symmetric must be False where it is no part of the formula, not True "
                f"for {self.formula!r} (accepted: {', '.join(_SYMMETRIC)})"
            )
        if self.formula == "no-clipping" and not (self.symmetric and self.low < 0 < self.high):
            raise ContractError(
                "QParamsRule of the formula 'no-clipping' must be symmetric, with codes on both "
                f"sides of 0, not symmetric={self.symmetric} with {self.low}..{self.high} "
                "(accepted: symmetric=True with -8..7, -128..127, ...)"
            )
        if self.formula == "torch-per-token" and self.symmetric and self.high == 0:
            raise ContractError(
                "QParamsRule.high must be above 0 where torch-per-token is symmetric, not 0 "
                "(accepted: 127)"
            )
        number = is_int(self.eps) or isinstance(self.eps, (float, np.floating))
        if not (number and 0 < self.eps <= _MAX and float(np.float32(self.eps)) == self.eps):
            raise ContractError(
                f"QParamsRule.eps must be a float32 above 0, not {show(self.eps)} "
                "(accepted: 2**-23)"
            )
        object.__setattr__(self, "eps", float(self.eps))
        require_name(self.non_finite, "QParamsRule.non_finite", NON_FINITE)
        if self.propagates and self.formula != "onnx":
            raise ContractError(
                "QParamsRule.non_finite='propagate' is defined for the formula 'onnx' alone, not "
                f"for {self.formula!r} (accepted: 'refuse')"
            )

    @property
    def middle(self) -> int:
        """The code of the real 0 where the rule is symmetric."""
        return -(-(self.low + self.high) // 2)

    @property
    def bound(self) -> float:
        """What the scale (or reach) is at least, where the formula says so: eps, or its power."""
        if self.formula != "power-of-two":
            return self.eps
        mantissa, exponent = math.frexp(self.eps)
        return math.ldexp(0.5 if mantissa == 0.5 else 1.0, exponent)

    @property
    def propagates(self) -> bool:
        """Infinities go on, as the formula says."""
        return self.non_finite == "propagate"

"""Real functions for tables, in float32 or float64, step by step as C++ kernels compute them.

Each takes a NumPy scalar and returns one of the same type: an operation between two scalars of one
type, or with a Python number, rounds to that type. Functions of the mathematics library are taken
in float64 and rounded once; float32 libraries agree but for the last bit of few arguments.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hw_models._arguments import show
from hw_models.errors import ContractError
from hw_models.formats import is_int

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def call(function: Callable[[float], float], x: Any) -> Any:
    """Apply a function of Python floats and round to the type of x; poles and gaps as IEEE."""
    try:
        return type(x)(function(float(x)))
    except OverflowError:
        return type(x)(math.inf)
    except ValueError:
        return type(x)(math.nan)


def ask(function: Callable[[float], float], x: Any) -> Any:
    """Apply a caller's function and round to the type of x; NaN where it has no value.

    Python raises OverflowError for either infinity, so that it does not say which one is meant.
    """
    try:
        value = function(float(x))
    except (ValueError, ZeroDivisionError):
        return type(x)(math.nan)
    except (OverflowError, TypeError) as error:
        raise ContractError(
            f"function must return a number for the float {float(x)!r}, not raise "
            f"{type(error).__name__}: {error} (accepted: floats, math.inf and -math.inf too)"
        ) from error
    if not is_int(value) and not isinstance(value, (float, np.floating)):
        raise ContractError(
            f"function must return a number, not {show(value)} for the float {float(x)!r} "
            "(accepted: a float or an integer)"
        )
    try:
        return type(x)(float(value))
    except OverflowError:  # an integer, whose sign is known
        return type(x)(math.copysign(math.inf, 1 if value > 0 else -1))


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + call(math.exp, -x))


def _tanh(x: Any) -> Any:
    return call(math.tanh, x)


def _exp(x: Any) -> Any:
    return call(math.exp, x)


def _log(x: Any) -> Any:
    return call(math.log, x) if x else type(x)(-math.inf)


def _rsqrt(x: Any) -> Any:
    return 1 / call(math.sqrt, x) if x else type(x)(math.inf)


def _elu(x: Any) -> Any:
    return call(math.expm1, x) if x < 0 else x


def _silu(x: Any) -> Any:
    return x / (1 + call(math.exp, -x))


def _hard_sigmoid(x: Any) -> Any:
    zero = type(x)(0)
    return min(max(x + 3, zero), zero + 6) / 6


def _hard_swish(x: Any) -> Any:
    return x * _hard_sigmoid(x)


def _gelu(x: Any) -> Any:
    half_root = type(x)(math.sqrt(0.5))
    return x * 0.5 * call(math.erfc, x * -half_root)


def _gelu_tanh(x: Any) -> Any:
    coefficient, root = type(x)(0.044715), type(x)(math.sqrt(2 / math.pi))
    return x * 0.5 * (1 + call(math.tanh, root * (x + coefficient * x * x * x)))


FUNCTIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "elu": _elu,
    "exp": _exp,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": _hard_swish,
    "log": _log,
    "rsqrt": _rsqrt,
    "sigmoid": _sigmoid,
    "silu": _silu,
    "tanh": _tanh,
}

"""Functions of one float32 value.

| function | definition                                            |
|----------|-------------------------------------------------------|
| relu     | ``x`` where it is above 0 or NaN, else +0             |
| exp      | ``hw_models.float32.exponential``, step by step       |
| erf      | ``hw_models.float32.erf``, step by step               |
| gelu     | ``hw_models.float32.erf``, step by step               |
| tanh     | ``hw_models.float32.tanh``, correctly rounded         |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from hw_models._arguments import require_ledger, require_name
from hw_models._pointwise import ends_of, memory_order, require_floats
from hw_models.compiled import kernel, part
from hw_models.float32.erf import erf, erf_reference, gelu, gelu_reference
from hw_models.float32.exponential import exp, exp_reference
from hw_models.float32.tanh import tanh, tanh_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hw_models.formats import FloatArray
    from hw_models.ledger import Ledger

Function: TypeAlias = Literal["relu", "exp", "erf", "gelu", "tanh"]
FUNCTIONS: Final[tuple[Function, ...]] = get_args(Function)


def relu_reference(x: float) -> float:
    """Return one value without its negative part: the definition."""
    return x if x > 0 or x != x else 0.0  # NaN alone differs from itself


REFERENCES: Final[Mapping[Function, Callable[[float], float]]] = {
    "relu": relu_reference,
    "exp": exp_reference,
    "erf": erf_reference,
    "gelu": gelu_reference,
    "tanh": tanh_reference,
}


@part(inline="always", error_model="numpy")
def relu(x: Any) -> Any:
    """Return one value without its negative part."""
    return x if x > 0 or x != x else np.float32(0)


@kernel(nogil=True, error_model="numpy")
def apply(number: Any, x: Any, y: Any) -> None:
    """Compute a function, by its number in FUNCTIONS, of 1-D float32 values."""
    if number == 0:
        for i in range(x.size):
            y[i] = relu(x[i])
    elif number == 1:
        for i in range(x.size):
            y[i] = exp(x[i])
    elif number == 2:
        for i in range(x.size):
            y[i] = erf(x[i])
    elif number == 3:
        for i in range(x.size):
            y[i] = gelu(x[i])
    else:
        for i in range(x.size):
            y[i] = tanh(x[i])


def float_function(
    x: FloatArray, function: Function, ledger: Ledger | None = None
) -> npt.NDArray[np.float32]:
    """Return a function of every value.

    Args:
        x: float32, any shape and strides.
        function: ``relu``, ``exp``, ``erf``, ``gelu`` or ``tanh``, as this module defines them.
        ledger: filled with the extremes of the result.

    Returns:
        float32, the shape and the memory order of x.

    Raises:
        ContractError: for arguments outside the contract.
    """
    require_ledger(ledger)
    require_name(function, "function", FUNCTIONS)
    dense, layout = memory_order(require_floats(x, "x"))
    y = np.empty(dense.size, np.float32)
    apply(FUNCTIONS.index(function), dense.reshape(-1), y)
    if ledger is not None:
        ledger.fill(y.size, ends_of(y), function, "float32, as defined")
    return layout.restore(y)

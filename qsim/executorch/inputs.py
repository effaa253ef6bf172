"""What callers give a program: checked, as torch tensors on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from qsim.errors import InputError
from qsim.executorch.pte import TensorSpec

if TYPE_CHECKING:
    from qsim.executorch.pte import Value


def checked(value: Any, spec: Value, where: str) -> Any:
    """Return what a ``.pte`` has a place for: a dense tensor on the CPU, or its plain value.

    An edge program's tensors are checked by ``tensor_of`` too, their shapes by other rules: there
    one symbol has one size in all inputs, here a dynamic tensor has a bound for its elements.

    Args:
        value: what was given.
        spec: what the program has there.
        where: what it is, for the message.

    Raises:
        InputError: it does not fit.
    """
    if not isinstance(spec, TensorSpec):
        return as_exported(value, spec, where)
    tensor = tensor_of(value, spec.dtype, where, spec)
    if not spec.fits(tensor.shape):
        raise InputError(f"is {shown(tensor)}", where=where, accepted=str(spec))
    return tensor


def tensor_of(value: Any, dtype: torch.dtype, where: str, accepted: object) -> torch.Tensor:
    """Return a tensor or a NumPy array as a dense tensor on the CPU, without gradients.

    Args:
        value: what was given; an array may be read-only or of the other byte order.
        dtype: the type that it must have; its shape is the caller's to check.
        where: what it is, for the message.
        accepted: what the program takes; its text is for the message.

    Raises:
        InputError: neither a tensor nor an array, of another type, sparse, or without data.
    """
    if isinstance(value, np.ndarray):
        value = _from_numpy(value, where, accepted)
    if not isinstance(value, torch.Tensor):
        raise InputError(f"is a {type(value).__name__}", where=where, accepted=str(accepted))
    if value.dtype != dtype:
        raise InputError(f"is {shown(value)}", where=where, accepted=str(accepted))
    if value.layout != torch.strided or value.is_meta:
        kind = "on the meta device" if value.is_meta else str(value.layout).removeprefix("torch.")
        raise InputError(f"is {kind}", where=where, accepted=f"{accepted}, dense")
    return value.detach().cpu()


def as_exported(value: Any, wanted: Any, where: str) -> Any:
    """Return a value that the program was made with.

    Raises:
        InputError: it is another.
    """
    if type(value) is type(wanted) and value == wanted:
        return value
    raise InputError(f"is {value!r}", where=where, accepted=f"{wanted!r}, as exported")


def shown(tensor: torch.Tensor) -> str:
    """Return type and shape of a tensor as messages have them: ``float32 [2, 3]``."""
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def _from_numpy(value: Any, where: str, accepted: object) -> torch.Tensor:
    try:
        # A copy: torch warns of arrays that are read-only, and refuses the other byte order.
        return torch.from_numpy(value.astype(value.dtype.newbyteorder("="), copy=True, order="C"))
    except TypeError:
        raise InputError(
            f"is an array of {value.dtype}", where=where, accepted=str(accepted)
        ) from None

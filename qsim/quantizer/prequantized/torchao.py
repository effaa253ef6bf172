"""Weights of torchao's ``quantize_``, read: codes, and how the operand gets its own.

Sources: pytorch/ao torchao/quantization/quantize_/workflows (``int8/int8_tensor.py``,
``intx/intx_unpacked_to_int8_tensor.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from qsim.errors import ModelError
from qsim.quantizer.prequantized.dense import Dense, Operand, WeightCodes

if TYPE_CHECKING:
    from torch import Tensor

ACCEPTED: Final = (
    "Int8DynamicActivationInt8WeightConfig, and Int8DynamicActivationIntxWeightConfig with "
    "intx_packing_format='unpacked_to_int8'"
)
_ALONE: Final = (
    "its weight alone is quantized: a product of float activations, which no integer unit computes"
)


def is_torchao(module: nn.Module) -> bool:
    """Return whether a parameter of the module itself is one of torchao's tensors."""
    return any(map(_is_torchao, module.parameters(recurse=False)))


def _is_torchao(parameter: Tensor) -> bool:
    return any(kind.__name__ == "TorchAOBaseTensor" for kind in type(parameter).__mro__)


def spell_torchao(module: nn.Module, where: str) -> nn.Module:
    """Return a module that computes the same, written with operators of a Q/DQ graph.

    Args:
        module: one that ``is_torchao``.
        where: its path in the model, for messages.

    Raises:
        ModelError: a module or a kind of quantization that is not taken.
    """
    if type(module) is not nn.Linear:
        raise ModelError(
            f"a {type(module).__name__} holds quantized parameters",
            where=where,
            accepted="nn.Linear",
        )
    weight: Any = module.weight
    kind = type(weight).__name__
    if weight.dtype != torch.float32:
        raise ModelError(
            f"it computes in {weight.dtype}",
            where=where,
            accepted="float32 (quantize_ of model.float())",
        )
    if kind == "Int8Tensor":
        return Dense(_int8_codes(weight, where), module.bias, _int8_operand(weight, where))
    if kind == "IntxUnpackedToInt8Tensor":
        return Dense(_intx_codes(weight, where), module.bias, _intx_operand(weight, where))
    raise ModelError(f"its weight is a {kind}, which is not taken", where=where, accepted=ACCEPTED)


def _int8_codes(weight: Any, where: str) -> WeightCodes:
    groups = weight.scale.shape[-1]
    if weight.qdata.ndim != 2 or groups != 1:
        raise ModelError(
            f"its weight {tuple(weight.qdata.shape)} has scales {tuple(weight.scale.shape)}",
            where=where,
            accepted="two dimensions with PerRow() or PerTensor()",
        )
    if weight.zero_point is not None and bool(weight.zero_point.any()):
        raise ModelError(
            "its weight has zero points, which torchao's product leaves out",
            where=where,
            accepted="symmetric weights",
        )
    scale = weight.scale.reshape(()) if weight.scale.numel() == 1 else weight.scale.reshape(-1)
    return WeightCodes(weight.qdata, scale, torch.zeros_like(scale, dtype=torch.int64))


def _int8_operand(weight: Any, where: str) -> Operand:
    given = weight.act_quant_kwargs
    if given is None:
        raise ModelError(_ALONE, where=where, accepted=ACCEPTED)
    if weight.act_quant_scale is not None or weight.act_pre_scale is not None:
        what = "a scale before it" if weight.act_quant_scale is None else "a scale of its own"
        raise ModelError(f"its operand has {what}", where=where, accepted=ACCEPTED)
    low, high = (-64, 63) if given.reduce_range else (-128, 127)
    symmetric = given.mapping_type.name == "SYMMETRIC"
    per_tensor = type(given.granularity).__name__ == "PerTensor"
    return Operand(low, high, symmetric, "tensor" if per_tensor else "token")


def _intx_codes(weight: Any, where: str) -> WeightCodes:
    if weight.zero_point.dtype != torch.int8:
        raise ModelError(
            f"its zero points are {weight.zero_point.dtype}", where=where, accepted="torch.int8"
        )
    if weight.scale.dtype != torch.float32:
        raise ModelError(
            f"its scales are {weight.scale.dtype}", where=where, accepted="torch.float32"
        )
    bits = int(str(weight.target_dtype).removeprefix("torch.int"))
    one = weight.scale.shape[-1] == 1
    scale, zero = (each.reshape(-1) if one else each for each in (weight.scale, weight.zero_point))
    return WeightCodes(weight.qdata, scale, zero, -(1 << bits - 1), (1 << bits - 1) - 1)


def _intx_operand(weight: Any, where: str) -> Operand:
    if weight.activation_quantization is None:
        raise ModelError(_ALONE, where=where, accepted=ACCEPTED)
    eps = torch.finfo(torch.float32).smallest_normal
    return Operand(-128, 127, granularity="token", eps=eps)

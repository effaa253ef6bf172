"""Modules of ``torch.ao.quantization.quantize_dynamic``, read: FBGEMM's packed weights.

Sources: pytorch torch/ao/nn/quantized/dynamic/modules (``linear.py``, ``rnn.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from torch.ao.nn.intrinsic.quantized import dynamic as fused
from torch.ao.nn.quantized import dynamic

from qsim.errors import ModelError
from qsim.quantizer.prequantized.dense import Dense, Operand, WeightCodes
from qsim.quantizer.prequantized.recurrent import Layers, OneStep

if TYPE_CHECKING:
    from torch import Tensor, nn

ACCEPTED: Final = (
    "Linear, LinearReLU, LSTM, GRU, LSTMCell, GRUCell and RNNCell of quantize_dynamic with "
    "dtype=torch.qint8; other layers by qsim.quantize or PT2E"
)
# torch's reduce_range, which every present module has: codes 0..127.
_REDUCED: Final = Operand(0, 127)
_WHOLE: Final = Operand(0, 255)


def is_eager(module: nn.Module) -> bool:
    """Return whether a module is one of torch's with quantized weights."""
    return ".nn." in type(module).__module__ and any(
        f"torch.ao.nn.{part}quantized" in type(module).__module__ for part in ("", "intrinsic.")
    )


def spell_eager(module: nn.Module, where: str) -> nn.Module:
    """Return a module that computes the same, written with operators of a Q/DQ graph.

    Args:
        module: one that ``is_eager``.
        where: its path in the model, for messages.

    Raises:
        ModelError: a module, a type of weights or a scheme that is not taken.
    """
    kind: Any = type(module)
    one: Any = module
    if kind in (dynamic.Linear, fused.LinearReLU):
        _require_codes(one._packed_params.dtype, where)  # noqa: SLF001 - torch's one name for it
        weight, bias = one._weight_bias()  # noqa: SLF001
        reduced = kind is fused.LinearReLU or (one.version or 0) >= 4
        operand = _REDUCED if reduced else _WHOLE
        return Dense(_codes(weight, where), bias, operand, relu=kind is fused.LinearReLU)
    if kind in (dynamic.LSTM, dynamic.GRU):
        _require_codes(one.dtype, where)
        pairs = [_pair(each.param, where) for each in one._all_weight_values]  # noqa: SLF001
        return Layers(
            one.mode, one.hidden_size, pairs, where=where, batch_first=one.batch_first,
            bidirectional=one.bidirectional,
        )  # fmt: skip
    if kind in (dynamic.LSTMCell, dynamic.GRUCell, dynamic.RNNCell):
        _require_codes(one.weight_dtype, where)
        name = kind.__name__.removesuffix("Cell")
        name = f"RNN_{one.nonlinearity.upper()}" if name == "RNN" else name
        packed = one._packed_weight_ih, one._packed_weight_hh  # noqa: SLF001
        return OneStep(name, one.hidden_size, *(_dense(each, _REDUCED, where) for each in packed))
    raise ModelError(
        f"it is a {kind.__module__.removesuffix('.modules')}.{kind.__name__}, quantized in a way "
        "that is not taken",
        where=where,
        accepted=ACCEPTED,
    )


def _pair(param: Any, where: str) -> tuple[Dense, Dense]:
    """Return the products of a layer's direction: of its input, and of its hidden state."""
    kind, _biases, _, flags, packed = param.__getstate__()[0]
    if kind != "quantized_dynamic" or len(packed) != 2:
        raise ModelError(f"its weights are packed as {kind}", where=where, accepted=ACCEPTED)
    operand = _REDUCED if flags[0] else _WHOLE
    return _dense(packed[0], operand, where), _dense(packed[1], operand, where)


def _dense(packed: Any, operand: Operand, where: str) -> Dense:
    weight, bias = torch.ops.quantized.linear_unpack(packed)
    return Dense(_codes(weight, where), bias, operand)


def _require_codes(dtype: torch.dtype, where: str) -> None:
    if dtype == torch.float16:
        raise ModelError(
            "its weights are float16: a product of floats, which no integer unit computes",
            where=where,
            accepted="dtype=torch.qint8 of quantize_dynamic, or the float module",
        )
    if dtype != torch.qint8:
        raise ModelError(f"its weights are {dtype}", where=where, accepted="torch.qint8")


def _codes(weight: Tensor, where: str) -> WeightCodes:
    """Return the codes of a quantized tensor."""
    if weight.dtype != torch.qint8:
        raise ModelError(f"its weights are {weight.dtype}", where=where, accepted="torch.qint8")
    if weight.qscheme() == torch.per_tensor_affine:
        scale, zero = torch.tensor(weight.q_scale()), torch.tensor(weight.q_zero_point())
        return WeightCodes(weight.int_repr(), scale, zero)
    if weight.qscheme() == torch.per_channel_affine and weight.q_per_channel_axis() == 0:
        scale, zero = weight.q_per_channel_scales(), weight.q_per_channel_zero_points()
        return WeightCodes(weight.int_repr(), scale, zero)
    raise ModelError(
        f"its weights are {weight.qscheme()}",
        where=where,
        accepted="one scale for the tensor, or one per output",
    )

"""What PT2E is told of one tensor: container and range of its codes, and its observer."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import torch
from torchao.quantization.pt2e import PlaceholderObserver
from torchao.quantization.pt2e.quantizer import DerivedQuantizationSpec, QuantizationSpec

from qsim.errors import TargetError, UsageError
from qsim.graph import nodes
from qsim.quantizer.observers import (
    ActivationObserver,
    BlockPerChannelWeightObserver,
    PerChannelWeightObserver,
    StateObserver,
    WeightObserver,
)
from qsim.quantizer.qparams import Floats, power_of_two_above, symmetric_scale
from qsim.target import has_zero_point

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch.fx import Node

    from hw_models import FixedFormat
    from qsim.quantizer.groups import Operator
    from qsim.quantizer.stated import Stated
    from qsim.target import Dynamic, Input, Output, Scheme, Target

_WIDE: Final = 1.0 - 2.0**-20


def container(quant_min: int, quant_max: int) -> torch.dtype:
    """Return the dtype that holds the codes in a PT2E graph.

    Unsigned codes of 9 to 31 bits live in int32, which more of torch's operators take than uint16.

    Raises:
        TargetError: unsigned codes of 32 bits, for which PT2E has no container.
    """
    for dtype in (torch.uint8, torch.int8, torch.int16, torch.int32):
        info = torch.iinfo(dtype)
        if info.min <= quant_min and quant_max <= info.max and (quant_min < 0 or info.min == 0):
            return dtype
    if quant_min == 0 and quant_max <= torch.iinfo(torch.int32).max:
        return torch.int32
    raise TargetError(
        f"codes {quant_min}..{quant_max} have no container in PyTorch",
        where="input.bits",
        accepted="1 to 32 bits signed, 1 to 31 bits unsigned",
    )


def activation_spec(
    section: Input | Output,
    op: Operator,
    *,
    made: bool,
    given: Mapping[str, Stated] | None = None,
) -> QuantizationSpec:
    """Return how the activations that an operator reads or makes are observed.

    ``section`` is the target's for them: its output's where an operator makes one of them.
    ``made`` says that it is the result of the operator, and of no other: some patterns fix its
    parameters. ``given`` are parameters that the config fixes, by their place there; they agree.

    Raises:
        UsageError: parameters that the target does not have.
    """
    settings = op.settings
    low, high = _codes(section.format, settings.activation_bits)
    scheme = cast("Scheme", settings.activation_scheme or section.scheme)
    affine = has_zero_point(scheme)
    rule = op.pattern.fixed if made else None
    fixed = None if rule is None else rule(low, high, scheme)
    for where, chosen in (given or {}).items():
        chosen.check(low, high, scheme, where)
        fixed = chosen.scale, chosen.zero_point
    observer = ActivationObserver.with_args(
        scheme=scheme,
        method=settings.activation_observer or "min_max",
        layer=nodes.layer(op.node),
        algorithm=settings.algorithm,
        fixed=fixed,
    )
    return QuantizationSpec(
        dtype=container(low, high),
        observer_or_fake_quant_ctr=observer,
        quant_min=low,
        quant_max=high,
        qscheme=torch.per_tensor_affine if affine else torch.per_tensor_symmetric,
    )


def dynamic_spec(section: Dynamic, op: Operator) -> QuantizationSpec:
    """Return how the activations that a product quantizes at run time stand in the graph.

    Raises:
        UsageError: more bits than the target has.
    """
    bits = op.settings.activation_bits
    if bits is not None and not 2 <= bits <= section.bits:
        raise UsageError(
            f"activation_bits is {bits}, and its activations are quantized at run time",
            where=nodes.layer(op.node),
            accepted=f"2 to {section.bits}",
        )
    low, high = _codes(section.format, bits)
    return QuantizationSpec(
        dtype=container(low, high),
        observer_or_fake_quant_ctr=PlaceholderObserver,
        quant_min=low,
        quant_max=high,
        qscheme=torch.per_tensor_symmetric if section.symmetric else torch.per_tensor_affine,
        is_dynamic=True,
    )


def weight_spec(target: Target, op: Operator, axis: int | None) -> QuantizationSpec:
    """Return how the weight of an operator is observed; axis counts its output channels.

    Without such an axis one scale serves the whole weight.
    """
    section, settings = target.weight, op.settings
    low, high = _codes(section.format, settings.weight_bits)
    per_channel = section.per_channel if settings.per_channel is None else settings.per_channel
    per_channel = per_channel and axis is not None
    affine = has_zero_point(section.scheme)
    names = (
        (torch.per_channel_affine, torch.per_channel_symmetric)
        if per_channel
        else (torch.per_tensor_affine, torch.per_tensor_symmetric)
    )
    observer: type[WeightObserver] = PerChannelWeightObserver if per_channel else WeightObserver
    return QuantizationSpec(
        dtype=container(low, high),
        observer_or_fake_quant_ctr=observer.with_args(
            scheme=section.scheme,
            method=settings.weight_observer or "min_max",
            layer=nodes.layer(op.node),
            algorithm=settings.algorithm,
        ),
        quant_min=low,
        quant_max=high,
        qscheme=names[0] if affine else names[1],
        ch_axis=axis if per_channel else None,
    )


def state_spec(op: Operator) -> QuantizationSpec:
    """Return how the 16-bit state of a recurrent cell is observed, whatever the target's widths."""
    low, high = -(1 << 15), (1 << 15) - 1
    observer = StateObserver.with_args(
        scheme="power_of_two",
        method=op.settings.activation_observer or "min_max",
        layer=nodes.layer(op.node),
    )
    return QuantizationSpec(
        dtype=container(low, high),
        observer_or_fake_quant_ctr=observer,
        quant_min=low,
        quant_max=high,
        qscheme=torch.per_tensor_symmetric,
    )


def block_spec(target: Target, op: Operator, blocks: int) -> QuantizationSpec:
    """Return how a weight is observed whose blocks of rows are matrices of their own."""
    section, settings = target.weight, op.settings
    low, high = _codes(section.format, settings.weight_bits)
    affine = has_zero_point(section.scheme)
    return QuantizationSpec(
        dtype=container(low, high),
        observer_or_fake_quant_ctr=BlockPerChannelWeightObserver.with_args(
            scheme=section.scheme,
            method=settings.weight_observer or "min_max",
            layer=nodes.layer(op.node),
            algorithm=settings.algorithm,
            blocks=blocks,
        ),
        quant_min=low,
        quant_max=high,
        qscheme=torch.per_channel_affine if affine else torch.per_channel_symmetric,
        ch_axis=0,
    )


def _bias_format(target: Target) -> FixedFormat:
    """Return the bias codes that a PT2E graph holds: it has no container of more than 32 bits.

    Weights' scales are widened where a bias needs more, which no network's does by far.
    """
    from hw_models import FixedFormat

    return FixedFormat(min(target.bias.bits, 32))


def _bias_need(target: Target, values: Floats) -> Floats:
    """Return the scale that each value of a bias needs in order to fit the target's format."""
    fmt = _bias_format(target)
    # Beyond 24 bits fp32 cannot clamp to the last codes.
    room = _WIDE if target.bias.bits > 24 else 1.0
    return symmetric_scale(values, values, fmt.min, fmt.max) / room


def bias_spec(
    target: Target, op: Operator, weight: Node, values: Floats, *, per_channel: bool
) -> DerivedQuantizationSpec:
    """Return how the codes of a bias follow from the scales of activation and weight."""
    fmt = _bias_format(target)
    low, high = fmt.min, fmt.max
    own = _bias_need(target, values) if target.bias.own_scale else None

    def derive(observers: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
        return _bias_qparams(observers, own, per_channel=per_channel)

    return DerivedQuantizationSpec(
        derived_from=[(op.inputs[0], op.node), (weight, op.node)],
        derive_qparams_fn=derive,
        dtype=container(low, high),
        quant_min=low,
        quant_max=high,
        qscheme=torch.per_channel_symmetric if per_channel else torch.per_tensor_symmetric,
        ch_axis=0 if per_channel else None,
    )


def _bias_qparams(
    observers: list[Any], own: Floats | None, *, per_channel: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the bias's scale ``s_x * s_w`` in fp32, or an own one, at least ``own``.

    An own scale is ``s_x * s_w * 2**k`` with the smallest ``k >= 0`` that fits: the datapath shifts
    bias codes left by k into the accumulator.
    """
    (x_scale, _), (w_scale, _) = (observer.calculate_qparams() for observer in observers)
    scale = (x_scale * w_scale).to(torch.float32)
    if own is not None:
        accumulator = scale.to(torch.float64).numpy()
        need = own if per_channel else own.max(keepdims=True)
        factor = power_of_two_above(np.maximum(need / accumulator, 1.0))
        scale = torch.from_numpy((accumulator * factor).astype(np.float32))
    return scale, torch.zeros(scale.shape, dtype=torch.int32)


def _codes(fmt: Any, bits: int | None) -> tuple[int, int]:
    narrowed = fmt if bits is None else dataclasses.replace(fmt, bits=bits)
    return narrowed.min, narrowed.max

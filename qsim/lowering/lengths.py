"""Lowers a model for every length of its sequences: a few are lowered, the others follow."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.errors import ModelError
from qsim.graph import place
from qsim.lowering.builder import Builder
from qsim.network import Lengths, fit_lengths, further_lengths, length_points

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

    from qsim.lowering.match import Matcher
    from qsim.network import Lowered
    from qsim.program import Json
    from qsim.quantizer import Quantized
    from qsim.target import Target

    Lower = Callable[[Quantized, Target], tuple[Lowered, Matcher]]

# How much farther from float a sequence of one element may be than one of two, and at any rate.
_FARTHER: Final = 4.0
_ALWAYS: Final = 2.0**-10


def lower_lengths(quantized: Quantized, target: Target, lower: Lower) -> Lowered:
    """Return the network of the greatest length, with what makes those of all others of it.

    Args:
        quantized: with lengths.
        target: the datapath.
        lower: lowers one length.

    Raises:
        ModelError: an integer that is no function of the length, or a length at which the network
            is not what was fitted; names the layer and the field.
    """
    assert quantized.lengths is not None  # noqa: S101 - asked before
    bounds = quantized.lengths.bounds
    try:
        lowered, lengths = _fitted(quantized, target, lower, bounds.least)
    except ModelError:
        if bounds.least > 1 or bounds.most < 4:
            raise
        lowered, lengths = _fitted(quantized, target, lower, 2)
        one, two = (lengths.concrete(lowered, length) for length in (1, 2))
        _check_one(quantized, target, lower, one, two)
    lowered.free(lengths)
    return lowered


def _fitted(
    quantized: Quantized, target: Target, lower: Lower, regular: int
) -> tuple[Lowered, Lengths]:
    """Return the network of the greatest length, and what was fitted from a length on."""
    assert quantized.lengths is not None  # noqa: S101 - asked before
    bounds = quantized.lengths.bounds
    points = length_points(regular, bounds.most)
    members = {length: lower(quantized.at(length), target) for length in points}
    lowered, matcher = members[bounds.most]
    networks = {length: network for length, (network, _) in members.items()}
    stated = _Stated(matcher, members[regular][1], (regular, bounds.most))
    try:
        lengths = fit_lengths(networks, bounds.least, bounds.axes, stated)
    except ModelError:
        stated.require_multipliers()
        raise
    for length in (*points, *further_lengths(regular, bounds.most)):
        alone = networks.get(length) or lower(quantized.at(length), target)[0]
        if lengths.concrete(lowered, length).digest != alone.digest:
            raise ModelError(
                f"at length {length} its network is another than at {bounds} in general",
                where="lengths",
                accepted="a model whose operators depend on the length in a regular way",
            )
    return lowered, lengths


def _check_one(
    quantized: Quantized, target: Target, lower: Lower, one: Lowered, two: Lowered
) -> None:
    """Require that sequences of one element, which follow from the others, come out right.

    Where one element can be lowered alone, in other steps, both make the same results; else they
    are about as near to float as those of two elements.

    Raises:
        ModelError: they are not.
    """
    assert quantized.lengths is not None  # noqa: S101 - asked before
    family = quantized.lengths
    accepted = "lengths from 2 on"
    try:
        alone = lower(quantized.at(1), target)[0]
    except ModelError:
        errors = [
            _error(network, family.examples(length), family.float_results(length))
            for length, network in ((1, one), (2, two))
        ]
        if errors[0] > _FARTHER * errors[1] + _ALWAYS:
            raise ModelError(
                f"results at length 1 are {errors[0]:.3g} of their range from float, those at "
                f"length 2 {errors[1]:.3g}",
                where="lengths",
                accepted=accepted,
            ) from None
        return
    inputs = family.examples(1)
    pairs = zip(one.trace(*inputs).outputs, alone.trace(*inputs).outputs, strict=True)
    if not all(np.array_equal(a, b) for a, b in pairs):
        raise ModelError(
            "results at length 1 are others than those of it lowered alone",
            where="lengths",
            accepted=accepted,
        )


def _error(network: Lowered, inputs: Any, wanted: list[torch.Tensor]) -> float:
    """Return how far results are from float, in parts of the largest value of each."""
    parts = []
    for found, real in zip(network.trace(*inputs).outputs, wanted, strict=True):
        if found.dtype.kind == "f":
            most = max(float(real.abs().max()), _ALWAYS)
            parts.append(float(np.abs(found - real.numpy()).max()) / most)
    return max(parts, default=0.0)


class _Stated:
    """What a mean over a sequence scales by: its count is a part of the multiplier."""

    def __init__(self, matcher: Matcher, least: Matcher, bounds: tuple[int, int]) -> None:
        self.bounds = bounds
        others = {builder.match.name: builder for builder in least.built.values()}
        self.means = {
            call.name: (builder, others.get(builder.match.name))
            for builder in matcher.built.values()
            for call in builder.calls
            if call.primitive == "mean"
        }

    def __call__(self, call: str, field: str, length: int) -> Json | None:
        """Return the scheme of a mean at a length, as its pattern derives it."""
        longest, shortest = self.means.get(call, (None, None))
        if field != "scheme" or longest is None or shortest is None:
            return None
        match = longest.match
        operands = tuple(
            dataclasses.replace(codes, shape=self._between(other.shape, codes.shape, length))
            for other, codes in zip(shortest.match.operands, match.operands, strict=True)
        )
        builder = Builder(
            longest.target,
            longest.graph,
            longest.shapes,
            dataclasses.replace(match, operands=operands),
        )
        _mean(builder)
        found: Mapping[str, Any] = next(
            each.attributes for each in builder.calls if each.name == call
        )
        scheme: Json = found["scheme"]
        return scheme

    def require_multipliers(self) -> None:
        """Refuse a mean over a sequence on a target that only shifts.

        It shifts where the length is a power of two. Elsewhere it divides, and where that is at a
        finer scale, in more steps.

        Raises:
            ModelError: there is one.
        """
        for longest, shortest in self.means.values():
            shapes = [each.match.operands[0].shape for each in (longest, shortest) if each]
            if longest.target.requantize.scheme == "power_of_two" and len(set(shapes)) > 1:
                raise ModelError(
                    "its mean over the sequence is a shift at some lengths, and at others a "
                    "division at a finer scale, as the target only shifts",
                    where=place(longest.match.anchor),
                    accepted="an average pool (AdaptiveAvgPool1d(1)), or a target that multiplies",
                )

    def _between(
        self, shortest: tuple[int, ...], longest: tuple[int, ...], length: int
    ) -> tuple[int, ...]:
        """Return a shape at a length; sizes that are not affine are found out by the members."""
        least, most = self.bounds
        return tuple(
            a + (b - a) * (length - least) // (most - least)
            for a, b in zip(shortest, longest, strict=True)
        )


def _mean(builder: Builder) -> None:
    from qsim.registry import patterns

    pattern = patterns.choose(builder.match.origin, builder.target)
    if pattern is not None:
        pattern.lower(builder)

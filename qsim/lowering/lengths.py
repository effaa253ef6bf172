"""Lowers a model for every length of its sequences: a few lengths, functions fitted, and verified."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from qsim.errors import ModelError
from qsim.lowering.builder import Builder
from qsim.network import fit_lengths, further_lengths, length_points

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qsim.lowering.match import Matcher
    from qsim.network import Lowered
    from qsim.program import Json
    from qsim.quantizer import Quantized
    from qsim.target import Target

    Lower = Callable[[Quantized, Target], tuple[Lowered, Matcher]]


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
    members = {
        length: lower(quantized.at(length), target)
        for length in length_points(bounds.least, bounds.most)
    }
    lowered, matcher = members[bounds.most]
    least = members[bounds.least][1]
    networks = {length: network for length, (network, _) in members.items()}
    stated = _Stated(matcher, least, (bounds.least, bounds.most))
    span = (bounds.least, bounds.most)
    lengths = fit_lengths(networks, span, bounds.axes, stated)
    for length in (*networks, *further_lengths(bounds.least, bounds.most)):
        alone = networks.get(length) or lower(quantized.at(length), target)[0]
        if lengths.concrete(lowered, length).digest != alone.digest:
            raise ModelError(
                f"at length {length} its network is another than that of {bounds} in general",
                where="lengths",
                accepted="a model whose operators depend on the length in a regular way",
            )
    lowered.free(lengths)
    return lowered


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

"""prelu: both sides of 0 by requantizers of any family, some aimed at their ties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import hw_models as hw
from hw_models.prelu import reference
from tests.hw_models.registers import Held, Registers, of_requantizer
from tests.hw_models.soak.comparing import Check
from tests.hw_models.soak.drawing import (
    codes,
    container,
    integer,
    laid_out,
    layout_shape,
    number_format,
    pick,
)
from tests.hw_models.soak.rescaling import rescaled
from tests.hw_models.soak.schemes import FAMILIES, draw, reach

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def _scheme(rng: Rng) -> Any:
    """Return a scheme of scalars that draws nothing and takes products of two bytes."""
    family = pick(rng, *FAMILIES)
    scheme = draw(rng, pick(rng, *FAMILIES[family]))
    low, high = reach(scheme)
    takes = low <= -(1 << 16) and high >= 1 << 16
    drawn = getattr(scheme, "rounding", "") == "stochastic"
    return scheme if takes and not drawn else hw.FloatScale(0.013)


def _named(side: str, held: list[Held]) -> list[Held]:
    return [each._replace(name=f"{side} {each.name}") for each in held]


def case_prelu(rng: Rng, family: str) -> Outcome:
    del family
    shape = layout_shape(rng, int(pick(rng, 1, 30, 100)))
    positive, negative = _scheme(rng), _scheme(rng)
    form = number_format(rng)
    zero = pick(rng, 0, integer(rng, form.min, form.max))
    zeros = [integer(rng, -128, 127), integer(rng, -128, 127), zero]
    channels = [1] * max(len(shape) - 2, 0)
    other = pick(rng, shape, tuple(shape[1:2]) + tuple(channels), (1,) if shape else ())
    x, slopes = (
        np.array(codes(rng, int(np.prod(s)), -128, 127), np.int64).reshape(s)
        for s in (shape, other)
    )
    xs, steep = laid_out(rng, container(rng, x)), laid_out(rng, container(rng, slopes))
    pairs = list(
        zip(*(v.reshape(-1).tolist() for v in np.broadcast_arrays(x, slopes)), strict=True)
    )
    arguments = (xs, steep, positive, negative, *zeros, form)
    made, defined = [], []
    schemes = {"positive": positive, "negative": negative}
    held = {name: Registers(_named(name, of_requantizer(q, 0))) for name, q in schemes.items()}
    for index, (p, r) in zip(np.ndindex(*shape), pairs, strict=True):
        value = p - zeros[0]
        name, taken = ("negative", value * (r - zeros[1])) if value < 0 else ("positive", value)
        held[name].hold(index, _named(name, of_requantizer(schemes[name], taken)))
        made.append(rescaled(schemes[name], taken, 0, 0))
        defined.append(reference(p, r, positive, negative, *zeros, form))
    ledger = hw.Ledger()
    check = Check("prelu", [v + zero for v in made], (form.min, form.max), form, shape)
    results = hw.prelu(*arguments, ledger), hw.prelu(*arguments)
    registers = (*held["positive"].all, *held["negative"].all)
    problem = check.problem(defined, ledger, *results, registers=registers)
    about = f"{positive!r} {negative!r} zeros={zeros} {form!r} x {xs.dtype}{xs.shape}{xs.strides}"
    return len(pairs), problem, about

"""Quantize: ties of x / scale, their float32 neighbours, infinities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import hw_models as hw
from hw_models.quantize import reference as quantize_reference
from tests.hw_models.soak.comparing import difference, element_ledger, ledger_difference, smallest
from tests.hw_models.soak.drawing import integer, laid_out, layout_shape, number_format, pick
from tests.hw_models.soak.float_codes import float_parameters, quantize, spread

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def case_quantize(rng: Rng, formula: str) -> Outcome:
    shape = layout_shape(rng, int(pick(rng, 1, 8, 40)))
    form = number_format(rng)
    span = pick(rng, (form.min, form.max), (form.min, form.max), (-(1 << 32), 1 << 32))
    options = float_parameters(rng, shape, span)
    scales, zeros = spread(shape, options)
    values = []
    for scale in scales:
        ratio = pick(
            rng,
            integer(rng, -300, 300) + 0.5,
            rng.normal() * 200,
            integer(rng, -(1 << 33), 1 << 33),
            form.max + pick(rng, -0.5, 0.5, 1.0),
        )
        near = np.float32(np.clip(ratio * scale, -3e38, 3e38))
        values.append(
            pick(
                rng,
                near,
                near,
                np.nextafter(near, np.float32(pick(rng, -np.inf, np.inf))),
                np.float32(pick(rng, 0.0, -0.0, np.inf, -np.inf, 1e-45, 3e38, rng.normal())),
            )
        )
    x = np.array(values, np.float32).reshape(shape)
    kind = pick(rng, "float32", "float32", "float64")
    xs = laid_out(rng, x.astype(kind))
    flat = [float(v) for v in values]
    exact = [quantize(v, s, z, formula) for v, s, z in zip(flat, scales, zeros, strict=True)]
    expected, book = element_ledger(exact, form.min, form.max, shape)
    ledger = hw.Ledger()
    plain = hw.quantize(xs, output=form, formula=formula, **options)
    booked = hw.quantize(xs, output=form, formula=formula, **options, ledger=ledger)
    defined = [
        quantize_reference(v, s, z, form, formula)
        for v, s, z in zip(flat, scales, zeros, strict=True)
    ]
    want = np.array(expected, form.dtype).reshape(shape)
    problem = (
        difference("quantize", plain, want)
        or difference("quantize with a ledger", booked, want)
        or difference("reference", np.array(defined, form.dtype).reshape(shape), want)
        or (None if plain.dtype == form.dtype else f"dtype {plain.dtype}")
        or ledger_difference(ledger, **book)
    )
    wrong = [
        (v, f"scale {s!r} zero {z}: oracle {e}, kernel {k}, reference {r}")
        for v, s, z, e, k, r in zip(
            flat, scales, zeros, expected, plain.reshape(-1).tolist(), defined, strict=True
        )
        if not e == k == r
    ]
    about = f"{smallest(wrong)} {form!r} {formula} x {xs.dtype}{shape}{xs.strides} {ledger}"
    return x.size, problem, f"{about} {options!r:.400}"

"""Dequantize: codes and zero points beyond 24 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import hw_models as hw
from hw_models.dequantize import reference as dequantize_reference
from tests.hw_models.soak.comparing import difference, ledger_difference, smallest
from tests.hw_models.soak.drawing import code_range, codes, container, laid_out, layout_shape, pick
from tests.hw_models.soak.float_codes import dequantize, float_parameters, spread

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def case_dequantize(rng: Rng, formula: str) -> Outcome:
    shape = layout_shape(rng, int(pick(rng, 1, 8, 40)))
    low, high = pick(rng, code_range(rng), (-(1 << 32), 1 << 32))
    options = float_parameters(rng, shape, (low, high))
    scales, zeros = spread(shape, options)
    q = np.array(codes(rng, len(scales), low, high), np.int64).reshape(shape)
    q = container(rng, q)
    qs, ledger, flat = laid_out(rng, q), hw.Ledger(), q.reshape(-1).tolist()
    exact = [dequantize(v, s, z, formula) for v, s, z in zip(flat, scales, zeros, strict=True)]
    want = np.array(exact, np.float64).reshape(shape)
    plain = hw.dequantize(qs, formula=formula, **options)
    booked = hw.dequantize(qs, formula=formula, **options, ledger=ledger)
    defined = [
        float(dequantize_reference(v, s, z, formula))
        for v, s, z in zip(flat, scales, zeros, strict=True)
    ]
    problem = (
        difference("dequantize", plain.astype(np.float64), want)
        or difference("dequantize with a ledger", booked.astype(np.float64), want)
        or difference("reference", np.array(defined).reshape(shape), want)
        or (None if plain.dtype == np.float32 else f"dtype {plain.dtype}")
        or ledger_difference(
            ledger,
            elements=q.size,
            minimum=min(flat, default=0),
            maximum=max(flat, default=0),
            clamped=0,
            first=None,
        )
    )
    wrong = [
        (v, f"scale {s!r} zero {z}: oracle {e}, kernel {k}, reference {r}")
        for v, s, z, e, k, r in zip(
            flat, scales, zeros, exact, plain.reshape(-1).tolist(), defined, strict=True
        )
        if not e == k == r
    ]
    return q.size, problem, f"{smallest(wrong)} {formula} q {q.dtype}{shape} {options!r:.400}"

"""clamp, relu and relu6 on every container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import hw_models as hw
from hw_models.activation import reference as clamp_reference
from tests.hw_models.soak.comparing import difference, element_ledger, ledger_difference
from tests.hw_models.soak.drawing import CONTAINERS, codes, integer, laid_out, layout_shape, pick
from tests.hw_models.soak.float_codes import quantize

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def case_activation(rng: Rng, name: str) -> Outcome:
    shape = layout_shape(rng, int(pick(rng, 1, 30, 100)))
    kind = np.iinfo(pick(rng, *CONTAINERS, "uint64"))
    span = (int(kind.min), int(kind.max))
    x = np.array(codes(rng, int(np.prod(shape)), *span), kind.dtype).reshape(shape)
    low, high = sorted(codes(rng, 2, span[0] - 3, min(span[1] + 3, 1 << 64)))
    low, high = (integer(rng, -(1 << 64), 1 << 64), 1 << 64) if not rng.integers(9) else (low, high)
    xs, ledger = laid_out(rng, x), hw.Ledger()
    scale = float(np.float32(2.0 ** rng.uniform(-6, 4)))
    formula = pick(rng, "torch", "executorch", "onnx")
    bits = min(kind.bits, 32)
    form = hw.FixedFormat(bits, signed=span[0] < 0)
    if name == "clamp":
        actual = hw.clamp(xs, low, high, ledger)
    elif name == "relu":
        high = 1 << 64
        actual = hw.relu(xs, low, ledger)
    else:
        low = integer(rng, max(form.min, -(1 << 24)), min(form.max, 1 << 24))
        high = max(form.saturate(quantize(6.0, scale, low, formula)), low)
        actual = hw.relu6(xs, scale, low, None, formula, ledger)
    ends = [min(max(v, span[0]), span[1]) for v in (low, high)]
    flat = x.reshape(-1).tolist()
    expected, book = element_ledger(flat, ends[0], ends[1], shape)
    defined = [clamp_reference(v, ends[0], ends[1]) for v in flat]
    problem = (
        difference(name, actual, np.array(expected, x.dtype).reshape(shape))
        or (None if defined == expected else "reference differs")
        or (None if actual.dtype == x.dtype else f"dtype {actual.dtype}")
        or ledger_difference(ledger, **book)
    )
    about = (
        f"{x.dtype}{x.shape}{xs.strides} {low}..{high} scale={scale} {formula} {x.tolist()!r:.200}"
    )
    return x.size, problem, about

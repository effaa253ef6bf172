"""packing: narrow codes to bytes and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hw_models as hw
from hw_models.packing import pack, reference, unpack
from tests.hw_models.soak.comparing import difference
from tests.hw_models.soak.drawing import bulk, container, laid_out, layout_shape, pick

if TYPE_CHECKING:
    from tests.hw_models.soak.driver import Outcome, Rng


def case_packing(rng: Rng, first: Any) -> Outcome:
    bits, signed = int(pick(rng, 1, 2, 4)), bool(rng.integers(2))
    form = hw.FixedFormat(bits, signed, narrow=signed and bits > 1 and not rng.integers(3))
    shape = layout_shape(rng, int(pick(rng, 1, 30, 300)))
    x = container(rng, bulk(rng, shape, form.min, form.max))
    xs = laid_out(rng, x)
    flat = x.reshape(-1).tolist()
    digits = [format(v % 2**bits, f"0{bits}b") for v in flat]
    while len(digits) % (8 // bits):
        digits.append("0" * bits)
    groups = [digits[i : i + 8 // bits] for i in range(0, len(digits), 8 // bits)]
    want = [int("".join(g if first == "high" else reversed(g)), 2) for g in groups]
    packed = pack(xs, form, first)
    back = unpack(packed, shape, form, first)
    problem = (
        (None if packed.tolist() == want else f"packed {packed.tolist()!r:.200}, {want!r:.200}")
        or (None if reference(flat, form, first) == want else "reference differs")
        or difference("unpack", back, x)
        or (None if back.dtype == form.dtype else f"dtype {back.dtype}")
    )
    return x.size, problem, f"{form!r} {first} x {x.dtype}{shape}{xs.strides}"

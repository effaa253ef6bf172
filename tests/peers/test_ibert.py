"""Integer exponential, softmax and erf against I-BERT's own modules (transformers), in float64.

Its QuantAct between exponential and sum has trained ranges; here it is a fixed shift to 16 bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hw_models as hw
from hw_models.integer.exponential import lifted

torch = pytest.importorskip("torch")
modules = pytest.importorskip("transformers.models.ibert.quant_modules")

SCALES = (2.0**-13, 0.0006, 0.02, 0.11, 1.7)
EXACT = (2.0**-13, 5 * 2.0**-13, 13 / 128, 1.75)  # a product and a quotient by them round nothing


def lift(x: Any, scale: float) -> tuple[Any, Any]:
    """Return codes as I-BERT takes them, in fine steps, and their step."""
    step, places = lifted(scale)
    return torch.from_numpy(x * 2.0**places), torch.tensor(step, dtype=torch.float64)


@pytest.mark.parametrize("scale", SCALES)
def test_exponentials_are_those_of_int_softmax(scale: float) -> None:
    x = -np.arange(0, 2000)
    e = hw.Exponential.from_scale(scale)
    fine, step = lift(x, scale)
    wanted, _ = modules.IntSoftmax(8, quant_mode=True).int_exp(fine, step)
    found = [e.reference(int(code)) for code in x]
    assert found == torch.floor(wanted / 2**30).long().tolist()


class FixedShift(torch.nn.Module):
    """What stands between the exponentials and their sum: 16 bits of each."""

    def __init__(self, places: int) -> None:
        super().__init__()
        self.places = places

    def forward(self, value: Any, factor: Any) -> tuple[Any, Any]:
        del factor
        return torch.floor(value / 2.0**self.places), 1.0


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("scale", EXACT)
def test_rows_are_those_of_int_softmax(scale: float, bits: int) -> None:
    x = np.random.default_rng(bits).integers(-128, 128, (6, 20))
    x[1] //= 8
    scheme = hw.IbertSoftmax.from_scale(scale)
    module = modules.IntSoftmax(bits, quant_mode=True)
    module.act = FixedShift(30 + scheme.term_shift)
    fine, step = lift(x, scale)
    wanted, made = module(fine * step, step)
    codes = torch.round(wanted / made).clamp(max=2**bits - 1).long().numpy()
    output = hw.FixedFormat(bits, signed=False)
    np.testing.assert_array_equal(hw.softmax(x, scheme, output=output), codes)


@pytest.mark.parametrize("scale", SCALES)
def test_gelu_has_the_erf_of_int_gelu(scale: float) -> None:
    x = np.arange(-1500, 1500)
    module = modules.IntGELU(quant_mode=True)
    module.const = 0
    fine, step = lift(x, scale)
    wanted, _ = module.int_erf(fine, step / module.k)
    unit = hw.IbertGelu.from_scales(scale, 1.0)
    rest = unit.knee - np.minimum(np.abs(x) << unit.left_shift, unit.knee)
    found = np.sign(x) * (unit.one - rest * rest)
    # I-BERT's scale of erf is negative.
    np.testing.assert_array_equal(found, -wanted.numpy().astype(np.int64))

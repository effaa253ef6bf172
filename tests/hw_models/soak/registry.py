"""Every primitive with its schemes: what the soak runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hw_models as hw
from hw_models.add import ADD_FORMULAS
from hw_models.formats import OVERFLOWS
from hw_models.moves.pad import PAD_MODES
from hw_models.quantize import FORMULAS
from hw_models.resize import MODES
from hw_models.rounding import DETERMINISTIC, DIVISIONS
from hw_models.tables import FUNCTIONS
from tests.hw_models.soak.cases.activation import case_activation
from tests.hw_models.soak.cases.add import case_add, case_sub
from tests.hw_models.soak.cases.argmax import case_argmax
from tests.hw_models.soak.cases.bias_add import case_bias_add
from tests.hw_models.soak.cases.choose_qparams import SCHEMES as CHOICES
from tests.hw_models.soak.cases.choose_qparams import case_choose_qparams
from tests.hw_models.soak.cases.concat import case_concat
from tests.hw_models.soak.cases.correlation import case_correlation
from tests.hw_models.soak.cases.dequantize import case_dequantize
from tests.hw_models.soak.cases.extremum import case_extremum
from tests.hw_models.soak.cases.float_requantize import case_float_requantize
from tests.hw_models.soak.cases.interpolation import case_interpolation
from tests.hw_models.soak.cases.linear import case_linear
from tests.hw_models.soak.cases.lookup import case_lookup
from tests.hw_models.soak.cases.matmul import case_matmul
from tests.hw_models.soak.cases.mean import case_mean
from tests.hw_models.soak.cases.moves import case_gather, case_strided_slice
from tests.hw_models.soak.cases.mul import case_mul
from tests.hw_models.soak.cases.packing import case_packing
from tests.hw_models.soak.cases.pad import case_pad
from tests.hw_models.soak.cases.pooling import case_avg_pool, case_max_pool
from tests.hw_models.soak.cases.prelu import case_prelu
from tests.hw_models.soak.cases.quantize import case_quantize
from tests.hw_models.soak.cases.requantize import case_requantize
from tests.hw_models.soak.cases.resize import case_resize
from tests.hw_models.soak.cases.shift import case_shift
from tests.hw_models.soak.cases.softmax import case_softmax
from tests.hw_models.soak.cases.tables import case_tables
from tests.hw_models.soak.cases.transposed_correlation import case_transposed_correlation
from tests.hw_models.soak.cases.units import case_units
from tests.hw_models.soak.schemes import FAMILIES, NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.hw_models.soak.driver import Case

PRODUCTS = [f"{o}-{at}" for o in OVERFLOWS for at in ("sum", "mac")]
ORDERED = [f"{p}-channel_last" for p in PRODUCTS if p.endswith("mac")]
ADDERS = ["aligned", "multiplier", *ADD_FORMULAS]

PRIMITIVES: dict[str, tuple[Case, Iterable[str]]] = {
    "requantize": (case_requantize, NAMES),
    "float_requantize": (case_float_requantize, hw.FLOAT_BIAS_KINDS),
    "correlation": (case_correlation, PRODUCTS + ORDERED),
    "transposed_correlation": (case_transposed_correlation, PRODUCTS + ORDERED),
    "linear": (case_linear, PRODUCTS),
    "matmul": (case_matmul, PRODUCTS),
    "bias_add": (case_bias_add, OVERFLOWS),
    "add": (case_add, ["shifted", *ADDERS]),
    "sub": (case_sub, ["shifted-term", "shifted-operand", *ADDERS]),
    "mul": (case_mul, FAMILIES),
    "prelu": (case_prelu, ["per-tensor"]),
    "extremum": (case_extremum, ["minimum", "maximum"]),
    "concat": (case_concat, ["copy", *FAMILIES]),
    "pad": (case_pad, PAD_MODES),
    "strided_slice": (case_strided_slice, ("forward", "backward", "repeated")),
    "gather": (case_gather, ("uint8", "int32", "int64")),
    "shift_right": (case_shift, DETERMINISTIC),
    "argmax": (case_argmax, ["first"]),
    "mean": (case_mean, [*(f"division-{r}" for r in DIVISIONS), "over-count", *FAMILIES]),
    "lookup": (case_lookup, ["entry"]),
    "table": (case_tables, FUNCTIONS),
    "unit_table": (
        case_units,
        ["hard_swish", "leaky_relu", "byte_leaky_relu", "sigmoid16", "tanh16"],
    ),
    "interpolate": (case_interpolation, ["rounded", "exact"]),
    "softmax": (case_softmax, ["fixed", "float", "table", "ibert"]),
    "resize": (case_resize, [f"{k}-{m}" for k in ("sized", "scaled") for m in MODES]),
    "activation": (case_activation, ["clamp", "relu", "relu6"]),
    "max_pool": (case_max_pool, ["largest"]),
    "avg_pool": (case_avg_pool, DIVISIONS),
    "quantize": (case_quantize, FORMULAS),
    "dequantize": (case_dequantize, ["torch", "executorch", "onnx"]),
    "choose_qparams": (case_choose_qparams, CHOICES),
    "packing": (case_packing, ["low", "high"]),
}
SCHEMES = [(name, scheme) for name, (_, schemes) in PRIMITIVES.items() for scheme in schemes]

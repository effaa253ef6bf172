"""Which RTL, which proofs and which mutants there are: asked of the code that makes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hw_models import FixedFormat
from qsim.cosim.jobs import has_rtl, job
from qsim.errors import UsageError
from qsim.formal import IN_PARTS, PROVABLE
from qsim.golden import Case
from qsim.golden.directed.units import softmax_of
from qsim.program import encode_scheme, format_to_json
from qsim.target import derive
from tools.evidence.claims import ROOT
from tools.mutation.__main__ import PRIMITIVES

if TYPE_CHECKING:
    from qsim.target import Target

FORMAL: Final = ROOT / "rtl_tb" / "formal"  # what a module with states must do, for its proof
# Primitives that run on a module of another name.
SHARED: Final = {
    "linear": "correlation",
    "matmul": "correlation",
    "clamp": "requantize",
    "strided_slice": "move",
    "permute": "move",
    "gather": "move",
    "layer_norm": "norm",
    "group_norm": "norm",
    "rms_norm": "norm",
}
_MUTATED: Final = frozenset(SHARED.get(name, name) for name in PRIMITIVES)
_SCALES: Final = (0.125, 0.25, 0.5)  # powers of two: every adder and every requantizer takes them


@dataclass(frozen=True)
class Circuit:
    """The RTL of a primitive.

    Attributes:
        module: of rtl_tb/rtl.
        proved: `qsim prove` has a proof of the primitive on it.
        mutated: `make mutation` changes the module.
    """

    module: str
    proved: bool
    mutated: bool


def circuit(primitive: str) -> Circuit | None:
    """Return the RTL of a primitive, or None."""
    if not has_rtl(primitive):
        return None
    module = SHARED.get(primitive, primitive)
    proved = primitive in (*PROVABLE, *IN_PARTS) or (FORMAL / f"{module}_formal.sv").is_file()
    return Circuit(module, proved, module in _MUTATED)


def serves(primitive: str, target: Target) -> bool:
    """Return whether the RTL of a primitive computes it as a target does."""
    plain = "requantize" if primitive == "requantize_linear" else primitive
    if not has_rtl(plain):
        return False
    make = {
        "requantize": _requantize,
        "requantize_linear": _requantize,
        "add": _add,
        "avg_pool": _avg_pool,
        "softmax": _softmax,
    }.get(primitive)
    if make is None:  # one formula on every target
        return True
    try:
        job(make(target, primitive), target)
    except UsageError:
        return False
    return True


def _case(primitive: str, target: Target, names: str, attributes: dict[str, Any]) -> Case:
    """Return the smallest call of a primitive."""
    output = target.output.format
    wide = FixedFormat(target.sum.bits) if primitive == "requantize" else target.input.format
    codes = np.zeros((1, 1, 1, 1), wide.dtype)
    formats = dict.fromkeys(names.split(), wide) | {"output": output}
    given = attributes | {"output": format_to_json(output), "clamp": None, "zero_point": 0}
    operands = dict.fromkeys(names.split(), codes)
    return Case("probe", "", primitive, given, operands, {}, formats, codes.astype(output.dtype))


def _requantize(target: Target, row: str) -> Case:
    operator = "linear" if row == "requantize_linear" else ""
    scheme = encode_scheme(derive.requantizer(target, *_SCALES, operator=operator), "probe", {})
    given = {"scheme": scheme, "axis": 1, "input_zero_point": 0}
    return _case("requantize", target, "acc", given)


def _add(target: Target, row: str) -> Case:
    scheme = encode_scheme(derive.adder(target, *_SCALES), "probe", {})
    return _case(row, target, "a b", {"scheme": scheme, "a_zero_point": 0, "b_zero_point": 0})


def _softmax(target: Target, row: str) -> Case:
    case = _case(row, target, "x", {"axis": 1})
    scheme, output = softmax_of(target, _SCALES[0])
    given = case.attributes | {"scheme": encode_scheme(scheme, "probe", {})}
    return replace(case, attributes=given, formats={**case.formats, "output": output})


def _avg_pool(target: Target, row: str) -> Case:
    window = {"kernel": 1, "stride": None, "padding": 0, "count_include_pad": True}
    rule = {"rounding": target.avg_pool.rounding, "centered": target.avg_pool.centered}
    return _case(row, target, "x", window | rule)

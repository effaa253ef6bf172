"""The proof of softmax: its exponential, and what does not depend on a scale, part by part.

The quotient of any sum, the probability of any term, and the order of things (``rows.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import z3

from hw_models.integer.exponential import Exponential
from hw_models.softmax import IbertSoftmax
from qsim.cosim.jobs import softmax
from qsim.errors import UsageError
from qsim.formal import exponential
from qsim.formal.norms import Claim, Part
from qsim.formal.provable import calls_of, sources_of
from qsim.formal.quotient import Quotient
from qsim.formal.rows import Rows
from qsim.program import decode_scheme

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from hw_models import FixedFormat
    from qsim.formal.run import Task
    from qsim.network import Lowered
    from qsim.target import Target

_SUM: Final = {"A_W": 33, "B_W": 31, "DIGITS": 33}  # of 2**32 by the sum of a row
_ROUNDING: Final = "half_up"


def tasks(target: Target, lowered: Lowered | None, rtl: Path | None) -> list[Task]:
    """Return what there is to prove: see ``qsim.formal.provable``."""
    if lowered is None:
        if target.units is None:
            _refuse(f"target {target.name}", "a target with units")
        return [exponential.task("softmax", softmax.SOURCES, rtl)]
    layers = []
    for program, call in calls_of(lowered, "softmax"):
        scheme = decode_scheme(call.attributes["scheme"], program.constants)
        if not isinstance(scheme, IbertSoftmax):
            _refuse(call.layer or call.name, "ibert_softmax")
        layers.append((call.layer or call.name, scheme.exponential))
    return [exponential.task("softmax", softmax.SOURCES, rtl, layers)]


def parts(target: Target, rtl: Path | None) -> list[Quotient | Part | Rows]:
    """Return what there is to prove beside the exponential, with the codes of a target.

    Raises:
        UsageError: ``rtl`` holds none of its files.
    """
    output = target.output.format
    unit = softmax.unit(target, _ROUNDING, target.input.format, output, 1)
    chosen = sources_of(unit, rtl)
    files = dict(zip(unit.sources, chosen, strict=True))
    core = tuple(files[name] for name in ("code_clamp.sv", "softmax_core.sv"))
    widths = {"OUT_W": output.bits, "HALF_UP": unit.parameters["HALF_UP"]}
    assumed = ("term * factor <= 2**32: a term is at most the sum",)
    return [
        Quotient((files["quotient.sv"],), _SUM),
        Part("softmax_core", core, widths, assumed, lambda _: _share(output)),
        Rows((files["softmax.sv"],)),
    ]


def _share(output: FixedFormat) -> Iterator[Claim]:
    """Give that y is the definition's probability of a term, clamped."""
    wide = 64
    term, factor = z3.BitVec("term", 16), z3.BitVec("factor", 33)
    held, times = z3.ZeroExt(wide - 16, term), z3.ZeroExt(wide - 33, factor)
    limits = {
        name: z3.BitVecVal(value, output.bits + 1)
        for name, value in (("low", output.min), ("high", output.max))
    }
    scheme = IbertSoftmax(Exponential.from_scale(1.0), _ROUNDING)
    share = scheme.share(held, times, output)
    given: Mapping[str, Any] = {"term": term, "factor": factor, **limits}
    expected = z3.If(share > output.max, z3.BitVecVal(output.max, wide), share)
    assumed = (held * times <= 1 << 32,)
    yield Claim("probability", "y", given, expected, assumed, signed=output.signed)


def _refuse(where: str, accepted: str) -> None:
    raise UsageError("no RTL for its scheme of softmax", where=where, accepted=accepted)

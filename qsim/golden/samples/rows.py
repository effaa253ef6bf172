"""Calls that reduce or normalize a dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hw_models.argmax import INDEX
from qsim.golden.samples.call import Call, Codes
from qsim.program import encode_scheme, format_to_json
from qsim.target import derive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.program import Array, Json
    from qsim.target import Target

LENGTHS: Final = (8, 12)  # a power of two, which a datapath that only shifts divides by, and none


def mean(codes: Codes, count: int) -> Iterator[Call]:
    """Give means of 8 and of 12 codes."""
    target = codes.target
    form, output = target.input.format, target.output.format
    for length in LENGTHS:
        scheme = _averager(target, length)
        constants: dict[str, Array] = {}
        attributes: dict[str, Json] = {
            "scheme": encode_scheme(scheme, "scheme", constants),
            "axes": [2, 3],
            "keepdims": False,
            "x_zero_point": codes.point(form),
            "zero_point": codes.point(output, output=True),
            "output": format_to_json(output),
            "clamp": None,
        }
        shape = (-(-count // 8), 4, 2, length // 2)
        yield Call(f"of-{length}", attributes, {"x": codes.array(form, shape)}, {"x": form},
                   constants)  # fmt: skip


def _averager(target: Target, length: int) -> Any:
    """Return what divides the sum of so many codes, as the lowering of a mean does."""
    from hw_models.mean import Division, over_count
    from hw_models.schemes import FixedPoint

    if target.requantize.scheme == "power_of_two" and length & (length - 1):
        return Division(target.avg_pool.rounding)
    rescale = derive.requantizer(target, 2.0**-5, 1.0, 2.0**-5)
    if isinstance(rescale, FixedPoint) and not target.requantize.rounding.startswith("tosa"):
        return over_count(rescale, length)
    return derive.requantizer(target, 2.0**-5, 1.0 / length, 2.0**-5)


def argmax(codes: Codes, count: int) -> Iterator[Call]:
    """Give searches among 10 codes, ties among them."""
    form = codes.target.input.format
    x = codes.array(form, (count, 10))
    x[::3, 7] = x[::3, 2]  # of equal codes the first counts
    attributes: dict[str, Json] = {"axis": 1, "keepdims": False, "output": format_to_json(INDEX)}
    yield Call("of-10", attributes, {"x": x}, {"x": form})

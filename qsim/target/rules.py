"""Rules between the fields of a target: what no datapath can be, and what it should say instead.

Each rule is one line of a table: it holds, or the field named is in contradiction.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, get_args

from qsim.errors import TargetError
from qsim.target.contract import SCHEMA
from qsim.target.fields import shown
from qsim.target.sections import SECTIONS, ShiftRounding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.target.contract import Target
    from qsim.target.sections import Input, Output, Weight

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
# Each scheme's tensors are also tensors of the schemes after it.
_GENERALITY: Final = ("power_of_two", "symmetric", "asymmetric")
_ROUNDINGS: Final[dict[str, tuple[str, ...]]] = {
    "fixed_point": ("double", "single"),
    "power_of_two": tuple(get_args(ShiftRounding)),
    "float_scale": ("half_even",),
}


class _Rule(NamedTuple):
    holds: bool
    where: str
    message: str
    accepted: str


def check(target: Target) -> None:
    """Raise TargetError at the first rule that the target breaks."""
    _check_head(target)
    for name, cls in SECTIONS.items():
        if not isinstance(getattr(target, name), cls):
            raise TargetError(
                f"is {shown(getattr(target, name))}",
                where=name,
                accepted=f"a qsim.target.{cls.__name__}",
            )
    for rule in _rules(target):
        if not rule.holds:
            raise TargetError(rule.message, where=rule.where, accepted=rule.accepted)


def _check_head(target: Target) -> None:
    if type(target.schema) is not int or target.schema != SCHEMA:
        raise TargetError(
            f"this qsim does not read version {shown(target.schema)} of the contract",
            where="schema",
            accepted=str(SCHEMA),
        )
    if not (isinstance(target.name, str) and _NAME.fullmatch(target.name)):
        raise TargetError(
            f"is {shown(target.name)}",
            where="name",
            accepted="1 to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or digit",
        )
    for field in ("reproduces", "notes"):
        value = getattr(target, field)
        if not isinstance(value, str):
            raise TargetError(f"is {shown(value)}", where=field, accepted="text")


def _rules(t: Target) -> Iterator[_Rule]:
    for codes in (t.input, t.weight, t.output):
        yield from _codes(codes)
    yield from _chain(t)
    yield from _requantize(t)
    yield from _power_of_two(t)
    yield from _add(t)
    yield from _primitives(t)


def _codes(codes: Input | Weight | Output) -> Iterator[_Rule]:
    s = codes.section
    yield _Rule(
        not codes.narrow or (codes.signed and codes.bits > 1),
        f"{s}.narrow",
        f"is true, but {s} is {'' if codes.signed else 'un'}signed with {codes.bits} bits and has "
        "no most negative code to leave out",
        f"narrow = false, or signed = true with {s}.bits of 2 or more",
    )
    yield _Rule(
        codes.signed or codes.scheme == "asymmetric",
        f"{s}.scheme",
        f"is {codes.scheme!r}, whose zero point is 0, but {s}.signed is false: no code is negative",
        f"asymmetric, or {s}.signed = true",
    )


def _chain(t: Target) -> Iterator[_Rule]:
    low, high = _range(t.input)
    out_low, out_high = _range(t.output)
    yield _Rule(
        low <= out_low and out_high <= high,
        "output.bits",
        f"gives codes {out_low}..{out_high}, but an output is the next input and input takes "
        f"{low}..{high}",
        f"bits, signed and narrow with codes within {low}..{high}",
    )
    within = _GENERALITY[: _GENERALITY.index(t.input.scheme) + 1]
    yield _Rule(
        t.output.scheme in within,
        "output.scheme",
        f"is {t.output.scheme!r}, but an output is the next input and input.scheme is "
        f"{t.input.scheme!r}",
        ", ".join(within),
    )


def _range(codes: Input | Output) -> tuple[int, int]:
    if not codes.signed:
        return 0, (1 << codes.bits) - 1
    return -(1 << (codes.bits - 1)) + codes.narrow, (1 << (codes.bits - 1)) - 1


def _requantize(t: Target) -> Iterator[_Rule]:
    r = t.requantize
    yield _Rule(
        r.rounding in _ROUNDINGS[r.scheme],
        "requantize.rounding",
        f"is {r.rounding!r}, which the scheme {r.scheme!r} does not have",
        ", ".join(_ROUNDINGS[r.scheme]),
    )
    yield _Rule(
        r.scheme == "fixed_point" or r.multiplier_bits == 0,
        "requantize.multiplier_bits",
        f"is {r.multiplier_bits}, but the scheme {r.scheme!r} has no integer multiplier",
        "0, or scheme = 'fixed_point'",
    )
    yield _Rule(
        r.scheme != "fixed_point" or r.multiplier_bits >= 2,
        "requantize.multiplier_bits",
        f"is {r.multiplier_bits}, but the scheme 'fixed_point' multiplies by a signed integer",
        "an integer from 2 to 32",
    )
    for section in (t.correlation, t.sum):
        yield _Rule(
            r.rounding != "double" or section.bits <= 32,
            f"{section.section}.bits",
            f"is {section.bits}, but requantize.rounding 'double' is defined on a 32-bit register",
            "an integer from 2 to 32, or requantize.rounding = 'single'",
        )


def _power_of_two(t: Target) -> Iterator[_Rule]:
    for codes in (t.input, t.weight, t.output):
        yield _Rule(
            t.requantize.scheme != "power_of_two" or codes.scheme == "power_of_two",
            f"{codes.section}.scheme",
            f"is {codes.scheme!r}, but requantize.scheme 'power_of_two' only shifts",
            "power_of_two, or another requantize.scheme",
        )
    for codes in (t.input, t.weight):
        yield _Rule(
            t.bias.scale != "power_of_two" or codes.scheme == "power_of_two",
            "bias.scale",
            "is 'power_of_two', but an own scale can be shifted into the accumulator only if "
            f"{codes.section}.scheme is power_of_two, not {codes.scheme!r}",
            "accumulator",
        )


def _add(t: Target) -> Iterator[_Rule]:
    shifted = t.add.formula == "shifted"
    most = 31 - t.input.bits
    yield _Rule(
        shifted or t.add.left_shift == 0,
        "add.left_shift",
        f"is {t.add.left_shift}, but the formula {t.add.formula!r} does not shift",
        "0, or formula = 'shifted'",
    )
    yield _Rule(
        not shifted or 0 < t.add.left_shift <= most,
        "add.left_shift",
        f"is {t.add.left_shift}: a difference of {t.input.bits}-bit codes, shifted, must fit "
        "32 bits",
        f"an integer from 1 to {most}" if most > 0 else "another formula, or fewer input.bits",
    )
    yield _Rule(
        not shifted or t.requantize.scheme == "fixed_point",
        "add.formula",
        f"is 'shifted', which rescales by integer multipliers, but requantize.scheme is "
        f"{t.requantize.scheme!r}",
        "aligned, float_torch, float_onnxruntime, or requantize.scheme = 'fixed_point'",
    )
    for codes in (t.input, t.output):
        yield _Rule(
            t.add.formula != "aligned" or codes.scheme == "power_of_two",
            "add.formula",
            f"is 'aligned', which only shifts, but {codes.section}.scheme is {codes.scheme!r}",
            "shifted, float_torch, float_onnxruntime, or schemes that are power_of_two",
        )
    yield _Rule(
        t.add.formula != "aligned" or t.requantize.scheme == "power_of_two",
        "add.formula",
        "is 'aligned', which rounds as requantize.rounding says of a shift, but requantize.scheme "
        f"is {t.requantize.scheme!r}",
        "shifted, float_torch, float_onnxruntime, or requantize.scheme = 'power_of_two'",
    )


def _primitives(t: Target) -> Iterator[_Rule]:
    available = t.primitives.available
    for source in ("correlation", "matmul", "bias_add"):
        yield _Rule(
            source not in available or "requantize" in available,
            "primitives.available",
            f"has {source!r}, whose accumulator only 'requantize' turns into codes, and no "
            "'requantize'",
            f"a list with 'requantize', or without {source!r}",
        )
    yield _Rule(
        "bias_add" not in available or "correlation" in available or "matmul" in available,
        "primitives.available",
        "has 'bias_add', but neither 'correlation' nor 'matmul' to make an accumulator",
        "a list with 'correlation' or 'matmul', or without 'bias_add'",
    )
    yield _Rule(
        len(available) > 0,
        "primitives.available",
        "is empty: nothing of a network would run here",
        "at least one primitive",
    )

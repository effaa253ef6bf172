"""Rules between the fields of a target: what no datapath can be, and what it should say instead.

Each rule is one line of a table: it holds, or the field named is in contradiction.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, assert_never, cast, get_args

from qsim.errors import TargetError
from qsim.target.fields import shown
from qsim.target.rule import Rule
from qsim.target.run_time import run_time
from qsim.target.sections import OPTIONAL, SCHEMA, SECTIONS
from qsim.target.words import DeterministicRounding, FixedRounding, ShiftRounding, schemes_within

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qsim.target.contract import Target
    from qsim.target.sections import Input, Output, Requantize, Weight
    from qsim.target.words import AddFormula, RequantizeScheme

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FIXED: Final = tuple(get_args(FixedRounding))
_SHIFTS: Final = tuple(get_args(ShiftRounding))
_DETERMINISTIC: Final = tuple(get_args(DeterministicRounding))


def check(target: Target) -> None:
    """Raise TargetError at the first rule that the target breaks."""
    _check_head(target)
    for name, cls in SECTIONS.items():
        if name in OPTIONAL and getattr(target, name) is None:
            continue
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
    for field in ("reproduces", "notes", "checked"):
        value = getattr(target, field)
        if not isinstance(value, str):
            raise TargetError(f"is {shown(value)}", where=field, accepted="text")


def _roundings(scheme: RequantizeScheme) -> tuple[str, ...]:
    """Return the roundings that a scheme of [requantize] has."""
    match scheme:
        case "fixed_point":
            return _FIXED
        case "power_of_two":
            return _SHIFTS
        case "mul_add_shift":
            return _DETERMINISTIC
        case "float_scale":
            return ("half_even",)
        case "float64_scale" | "converter":
            return ("half_away",)
        case _:
            assert_never(scheme)


def _add_roundings(formula: AddFormula) -> tuple[str, ...]:
    """Return what of requantize.rounding a formula of [add] can do; nothing if it has its own."""
    match formula:
        case "shifted":
            return _FIXED
        case "aligned":
            return _SHIFTS
        case "multiplier":
            return _DETERMINISTIC
        case "float_torch" | "float_onnxruntime" | "none":
            return ()
        case _:
            assert_never(formula)


def _widths(r: Requantize) -> Sequence[int]:
    """Return the widths that the integer multiplier of a section may have; none without one."""
    match r.scheme:
        case "fixed_point":
            return _fixed_widths(cast("FixedRounding", r.rounding))
        case "converter":
            return (16,)
        case "mul_add_shift":
            return (32,)
        case "power_of_two" | "float_scale" | "float64_scale":
            return ()
        case _:
            assert_never(r.scheme)


def _fixed_widths(rounding: FixedRounding) -> Sequence[int]:
    match rounding:
        case "double" | "single" | "double-half-up":
            return range(2, 33)
        case "tosa-single":
            return (16, 32)
        case "s64-reduced" | "tosa-double":
            return (32,)
        case _:
            assert_never(rounding)


def _rules(t: Target) -> Iterator[Rule]:
    for codes in (t.input, t.weight, t.output):
        yield from _codes(codes)
    yield from _chain(t)
    for section in (t.requantize, t.requantize_linear, t.requantize_mul):
        if section is not None:
            yield from _requantize(t, section)
    yield from _power_of_two(t)
    yield from _add(t)
    yield from _primitives(t)
    yield from run_time(t)


def _codes(codes: Input | Weight | Output) -> Iterator[Rule]:
    s = codes.section
    yield Rule(
        not codes.narrow or (codes.signed and codes.bits > 1),
        f"{s}.narrow",
        f"is true, but {s} is {'' if codes.signed else 'un'}signed with {codes.bits} bits and has "
        "no most negative code to leave out",
        f"narrow = false, or signed = true with {s}.bits of 2 or more",
    )
    yield Rule(
        codes.signed or codes.scheme == "asymmetric",
        f"{s}.scheme",
        f"is {codes.scheme!r}, whose zero point is 0, but {s}.signed is false: no code is negative",
        f"asymmetric, or {s}.signed = true",
    )


def _chain(t: Target) -> Iterator[Rule]:
    low, high = _range(t.input)
    out_low, out_high = _range(t.output)
    yield Rule(
        low <= out_low and out_high <= high,
        "output.bits",
        f"gives codes {out_low}..{out_high}, but an output is the next input and input takes "
        f"{low}..{high}",
        f"bits, signed and narrow with codes within {low}..{high}",
    )
    within = schemes_within(t.input.scheme)
    yield Rule(
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


def _requantize(t: Target, r: Requantize) -> Iterator[Rule]:
    yield Rule(
        r.rounding in _roundings(r.scheme),
        f"{r.section}.rounding",
        f"is {r.rounding!r}, which the scheme {r.scheme!r} does not have",
        ", ".join(_roundings(r.scheme)),
    )
    widths = _widths(r)
    multiplies = len(widths) > 0
    yield Rule(
        multiplies or r.multiplier_bits == 0,
        f"{r.section}.multiplier_bits",
        f"is {r.multiplier_bits}, but the scheme {r.scheme!r} has no integer multiplier",
        "0, or scheme = 'fixed_point'",
    )
    name = r.rounding if r.scheme == "fixed_point" else r.scheme
    yield Rule(
        not multiplies or r.multiplier_bits in widths,
        f"{r.section}.multiplier_bits",
        f"is {r.multiplier_bits}, but {name!r} multiplies by a signed integer",
        "an integer from 2 to 32" if len(widths) > 2 else " or ".join(map(str, widths)),
    )
    yield Rule(
        r.scheme == "mul_add_shift" or r.right_shift == 0,
        f"{r.section}.right_shift",
        f"is {r.right_shift}, but the scheme {r.scheme!r} has a shift for each layer",
        "0, or scheme = 'mul_add_shift'",
    )
    yield Rule(
        r.rounding == "stochastic" or r.seed == 0,
        f"{r.section}.seed",
        f"is {r.seed}, but the rounding {r.rounding!r} draws nothing",
        "0, or rounding = 'stochastic'",
    )
    register = _register(r)
    for section in () if r is t.requantize_mul else (t.correlation, t.sum):
        yield Rule(
            register is None or section.bits <= register,
            f"{section.section}.bits",
            f"is {section.bits}, but {r.section}.rounding {r.rounding!r} is defined on a "
            f"{register}-bit register",
            f"an integer from 2 to {register}, or {r.section}.rounding = 'single'",
        )


def _register(r: Requantize) -> int | None:
    """Return the width of the accumulator that a fixed-point rounding is defined on, if it is."""
    if r.scheme != "fixed_point":
        return None
    rounding = cast("FixedRounding", r.rounding)
    match rounding:
        case "single" | "s64-reduced":
            return None
        case "double" | "double-half-up" | "tosa-double":
            return 32
        case "tosa-single":
            return 48 if r.multiplier_bits == 16 else 32
        case _:
            assert_never(rounding)


def _power_of_two(t: Target) -> Iterator[Rule]:
    for codes in (t.input, t.weight, t.output):
        yield Rule(
            t.requantize.scheme != "power_of_two" or codes.scheme == "power_of_two",
            f"{codes.section}.scheme",
            f"is {codes.scheme!r}, but requantize.scheme 'power_of_two' only shifts",
            "power_of_two, or another requantize.scheme",
        )
    for codes in (t.input, t.weight):
        yield Rule(
            t.bias.scale != "power_of_two" or codes.scheme == "power_of_two",
            "bias.scale",
            "is 'power_of_two', but an own scale can be shifted into the accumulator only if "
            f"{codes.section}.scheme is power_of_two, not {codes.scheme!r}",
            "accumulator",
        )


def _add(t: Target) -> Iterator[Rule]:
    shifted = t.add.formula == "shifted"
    most = 31 - t.input.bits
    yield Rule(
        shifted or t.add.left_shift == 0,
        "add.left_shift",
        f"is {t.add.left_shift}, but the formula {t.add.formula!r} does not shift",
        "0, or formula = 'shifted'",
    )
    yield Rule(
        not shifted or 0 < t.add.left_shift <= most,
        "add.left_shift",
        f"is {t.add.left_shift}: a difference of {t.input.bits}-bit codes, shifted, must fit "
        "32 bits",
        f"an integer from 1 to {most}" if most > 0 else "another formula, or fewer input.bits",
    )
    yield Rule(
        not shifted or t.add.rounding != "requantize" or t.requantize.scheme == "fixed_point",
        "add.formula",
        f"is 'shifted', which rescales by integer multipliers, but requantize.scheme is "
        f"{t.requantize.scheme!r}",
        "aligned, float_torch, float_onnxruntime, an add.rounding of its own, or "
        "requantize.scheme = 'fixed_point'",
    )
    for codes in (t.input, t.output):
        yield Rule(
            t.add.formula != "aligned" or codes.scheme == "power_of_two",
            "add.formula",
            f"is 'aligned', which only shifts, but {codes.section}.scheme is {codes.scheme!r}",
            "shifted, float_torch, float_onnxruntime, or schemes that are power_of_two",
        )
    yield Rule(
        t.add.formula != "aligned"
        or t.add.rounding != "requantize"
        or t.requantize.scheme == "power_of_two",
        "add.formula",
        "is 'aligned', which rounds as requantize.rounding says of a shift, but requantize.scheme "
        f"is {t.requantize.scheme!r}",
        "shifted, float_torch, float_onnxruntime, or requantize.scheme = 'power_of_two'",
    )
    yield from _add_rounding(t)
    for name in ("add", "sub"):
        yield Rule(
            t.add.formula != "none" or name not in t.primitives.available,
            "add.formula",
            f"is 'none', but primitives.available has {name!r}",
            f"a formula, or primitives without {name!r}",
        )


def _add_rounding(t: Target) -> Iterator[Rule]:
    accepted = _add_roundings(t.add.formula)
    stated = t.add.rounding != "requantize"
    yield Rule(
        bool(accepted) or not stated,
        "add.rounding",
        f"is {t.add.rounding!r}, but the formula {t.add.formula!r} rounds in its own way",
        "requantize",
    )
    rounding = t.add.rounding if stated else t.requantize.rounding
    yield Rule(
        not accepted or rounding in accepted,
        "add.rounding",
        f"is {rounding!r}, which the formula {t.add.formula!r} does not have",
        ", ".join(accepted),
    )
    multiplies = t.add.formula == "multiplier"
    yield Rule(
        t.add.multiplier_bits >= 2 if multiplies else t.add.multiplier_bits == 0,
        "add.multiplier_bits",
        f"is {t.add.multiplier_bits}, but the formula {t.add.formula!r} "
        f"{'multiplies by integers' if multiplies else 'has no such multiplier'}",
        "an integer from 2 to 23" if multiplies else "0, or formula = 'multiplier'",
    )


def _primitives(t: Target) -> Iterator[Rule]:
    available = t.primitives.available
    for source in ("correlation", "matmul", "bias_add"):
        yield Rule(
            source not in available or "requantize" in available,
            "primitives.available",
            f"has {source!r}, whose accumulator only 'requantize' turns into codes, and no "
            "'requantize'",
            f"a list with 'requantize', or without {source!r}",
        )
    yield Rule(
        "bias_add" not in available or "correlation" in available or "matmul" in available,
        "primitives.available",
        "has 'bias_add', but neither 'correlation' nor 'matmul' to make an accumulator",
        "a list with 'correlation' or 'matmul', or without 'bias_add'",
    )
    yield Rule(
        len(available) > 0,
        "primitives.available",
        "is empty: nothing of a network would run here",
        "at least one primitive",
    )

"""Directed vectors of bias_add: sums that just fit, sums that just do not, and long carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hw_models import FixedFormat
from hw_models.bias_add import reference
from hw_models.formats import HOLDING
from qsim.golden.directed import vectors as v
from qsim.program import accumulator_to_json

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from hw_models import Accumulator
    from qsim.golden.case import Case
    from qsim.target import Target

CHANNELS, DIRECTED = 32, 30


def cases(target: Target, seed: int, count: int) -> list[Case]:
    """Return the sums of the target's register: biases along axis 1 of an image and of rows."""
    return _cases(target, target.sum.accumulator, seed, count, "")


def variants(target: Target, seed: int, count: int) -> Iterator[Case]:
    """Give the same sums under the other overflow rules that always give a result."""
    from hw_models import Accumulator

    for overflow in HOLDING:
        if overflow != target.sum.overflow:
            register = Accumulator(target.sum.bits, overflow)
            yield from _cases(target, register, seed, count, f"{overflow.replace('_', '-')}.")


def bias_format(target: Target) -> FixedFormat:
    """Return the codes of a bias: one with a scale of its own was shifted into the register."""
    if target.bias.own_scale:
        return FixedFormat(max(target.bias.bits, target.sum.bits))
    return target.bias.format


def _cases(target: Target, register: Accumulator, seed: int, count: int, prefix: str) -> list[Case]:
    rng = v.stream("bias_add", seed, target.hash, prefix)
    acc, bias = target.correlation.accumulator.format, bias_format(target)
    extra = -(-count // (2 * CHANNELS))
    found = []
    for name, shape in (("image", (1, CHANNELS, -1)), ("rows", (-1, CHANNELS))):
        biases = _biases(bias, rng)
        rows = [_row(b, acc, register, rng, DIRECTED + extra) for b in biases]
        if name == "rows":  # channels vary fastest: [elements, channels]
            order = [row[i] for i in range(DIRECTED + extra) for row in rows]
            channels = biases * (DIRECTED + extra)
        else:
            order = [element for row in rows for element in row]
            channels = [b for b in biases for _ in range(DIRECTED + extra)]
        sums = [reference(x, b, register) for (x, _), b in zip(order, channels, strict=True)]
        made = v.make_case(
            "bias_add", f"{prefix}{name}",
            {"axis": 1, "accumulator": accumulator_to_json(register)},
            {
                "acc": v.array([x for x, _ in order], shape, acc),
                "bias": v.array(biases, (CHANNELS,), bias),
            },
            {"acc": acc, "bias": bias, "output": register.format},
            v.array(sums, shape, register.format),
            [label for _, label in order],
        )  # fmt: skip
        found.append(made)
    return found


def _biases(bias: FixedFormat, rng: random.Random) -> list[int]:
    ends = [bias.min, bias.min + 1, bias.max, bias.max - 1, 0, 1, -1]
    return ends + [_wide(bias, rng) for _ in range(CHANNELS - len(ends))]


def _wide(form: FixedFormat, rng: random.Random) -> int:
    """Return a code of any magnitude, all widths alike."""
    return rng.randint(form.min, form.max) >> rng.randrange(form.bits)


def _row(
    bias: int, acc: FixedFormat, register: Accumulator, rng: random.Random, size: int
) -> list[tuple[int, str]]:
    sheet = v.Sheet()
    for end, beyond in ((register.max, 1), (register.min, -1)):
        sheet.add_all((end - bias + i * beyond for i in (0, 1, -1, 2)), v.OVERFLOW)
    sheet.add_all((acc.min, acc.max, acc.min + 1, acc.max - 1), v.EXTREME)
    sheet.add_all((0, 1, -1, -bias, -bias - 1, 1 - bias), v.ZERO)
    for _ in range(12):
        # acc + bias = 2**k - 1, 2**k or their negatives: a carry through k bits.
        power = (1 << rng.randrange(1, acc.bits - 1)) - rng.randrange(2)
        sheet.add(rng.choice((power, -power)) - bias, v.CARRY)

    def taken(x: int) -> bool:
        inside = acc.fits(x)
        return inside and (register.overflow != "error" or register.format.fits(x + bias))

    kept = v.Sheet({x: label for x, label in sheet.elements.items() if taken(x)})
    return kept.fill(size, lambda: _fitting(bias, acc, register, rng))


def _fitting(bias: int, acc: FixedFormat, register: Accumulator, rng: random.Random) -> int:
    """Return an accumulator whose sum with the bias does not overflow, where there is one."""
    x = _wide(acc, rng)
    return min(max(x, register.min - bias, acc.min), max(register.max - bias, acc.min), acc.max)

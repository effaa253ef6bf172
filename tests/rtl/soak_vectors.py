"""What the soak sends, for every primitive, scheme and rounding of the RTL.

Most are the vectors of ``qsim cosim PRIMITIVE --vectors N``: the directed ones, then others with
the same parameters and data drawn anew. The adder by multipliers and whole layers, which no
target's vectors contain, are drawn here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from hw_models import ROUNDINGS
from hw_models.add import MultiplierAdd
from hw_models.formats import HOLDING
from hw_models.rounding import DETERMINISTIC, DIVISIONS, Rounding
from hw_models.schemes import FixedPoint, PowerOfTwo
from qsim.cosim.jobs import conv_engine
from qsim.cosim.jobs.drawn import vectors
from qsim.cosim.jobs.makers import job
from qsim.cosim.jobs.unit import Job
from tests.qsim.cosim.jobs import array_cases as make
from tests.qsim.cosim.jobs import elementwise_cases as one
from tests.rtl.targets import target

SEED: Final = 20261
SCALES: Final = ((0.5, 0.5, 1.0), (0.375, 0.125, 0.25), (0.1, 0.23, 0.9), (0.9, 0.01, 0.31))
_PAIRS: Final = 1 << 16  # of two 8-bit codes


@dataclass(frozen=True)
class Kind:
    """One scheme of a primitive.

    Attributes:
        jobs: gives jobs of at least so many elements in all; (0) the directed ones alone.
        share: of the vectors of a kind: an element that takes many beats counts for more.
    """

    jobs: Callable[[int], Iterator[Job]]
    share: float = 1.0


def drawn(primitive: str, name: str, rows: int = 2, share: float = 1.0, **changes: Any) -> Kind:
    """Return the vectors of a target's own scheme."""

    def jobs(count: int) -> Iterator[Job]:
        contract = target(name, rows, rows, **changes)
        for case in vectors(primitive, contract, SEED, count or None):
            yield job(case, contract)

    return Kind(jobs, share)


def by_multipliers(rounding: Rounding) -> Kind:
    """Return pairs of 8-bit codes, all of them for each scale if there are so many."""

    def jobs(count: int) -> Iterator[Job]:
        contract = target("tflite")
        random = np.random.default_rng(SEED)
        number = 0
        while number == 0 or number * _PAIRS < count:
            adder = MultiplierAdd.from_scales(*SCALES[number % len(SCALES)])
            adder = replace(adder, rounding=rounding)
            pairs = random.permutation(_PAIRS)[: count or 1000]
            a, b = pairs // 256 - 128, pairs % 256 - 128
            a_zero, b_zero, zero = random.integers(-128, 128, 3).tolist()
            yield job(one.add(a, b, adder, points=(a_zero, b_zero, zero)), contract)
            number += 1

    return Kind(jobs)


def layers(scheme: Any, overflow: str) -> Kind:
    """Return whole layers with padding, through conv_engine."""
    accumulator = {"bits": 20, "overflow": overflow, "at": "mac", "order": "channel_last"}

    def jobs(count: int) -> Iterator[Job]:
        left, seed = max(count, 1), SEED
        while left > 0:
            sums = make.correlation(
                (2, 6, 24, 24) if count else (1, 6, 6, 6), (16, 6, 3, 3), seed=seed, padding=1,
                x_zero_point=-3, accumulator=accumulator,
            )  # fmt: skip
            made = conv_engine.job(make.layer(sums, scheme), target("narrow20", 8, 1))
            left -= made.elements
            seed += 1
            yield made

    return Kind(jobs, 0.25)


def _requantize() -> Iterator[tuple[str, Kind]]:
    for bits in (8, 16, 32):
        changes: dict[str, Any] = {"requantize__multiplier_bits": bits}
        yield f"double, {bits} bits", drawn("requantize", "tflite", **changes)
    for bits in (8, 16, 24, 32):
        changes = {"requantize__multiplier_bits": bits}
        yield f"single, {bits} bits", drawn("requantize", "tflite-single", **changes)
    yield "single, 20-bit accumulator", drawn("requantize", "narrow20")
    for name in ("litert-optimized", "tflite-int16x8", "tosa", "deeploy-like", "nvdla-like"):
        yield f"as {name}", drawn("requantize", name)
    yield "TOSA, double", drawn("requantize", "tosa", requantize__rounding="tosa-double")
    unsigned: dict[str, Any] = {"input__signed": False, "output__signed": False}
    yield "double, unsigned codes", drawn("requantize", "tflite", **unsigned)
    for rounding in ROUNDINGS:
        yield f"power of two, {rounding}", drawn("requantize", "q7", requantize__rounding=rounding)


def _add() -> Iterator[tuple[str, Kind]]:
    yield "shifted, double", drawn("add", "tflite")
    yield "shifted, single", drawn("add", "tflite-single")
    for rounding in ROUNDINGS:
        yield f"aligned, {rounding}", drawn("add", "q7", requantize__rounding=rounding)
        if rounding in DETERMINISTIC:
            yield f"multiplier, {rounding}", by_multipliers(rounding)
    for overflow in HOLDING:
        changes: dict[str, Any] = {"sum__bits": 12, "sum__overflow": overflow}
        yield f"aligned, 12 bits, {overflow}", drawn("add", "q7", **changes)


def _arrays() -> Iterator[tuple[str, Kind]]:
    for at in ("sum", "mac"):
        for overflow in HOLDING:
            changes: dict[str, Any] = {"correlation__at": at, "correlation__overflow": overflow}
            changes |= {"correlation__bits": 16, "sum__bits": 16}
            yield (
                f"correlation: {at}, {overflow}",
                drawn("correlation", "narrow20", 4, 0.25, **changes),
            )
    order: dict[str, Any] = {"correlation__order": "channel_last"}
    yield "correlation: channel last", drawn("correlation", "narrow20", 4, 0.25, **order)
    for primitive in ("correlation", "linear", "matmul"):
        yield f"{primitive}: 32 bits", drawn(primitive, "tflite", 4, 0.25)
    for rounding in DIVISIONS:
        yield (
            f"avg_pool: {rounding}",
            drawn("avg_pool", "tflite", 8, 0.25, avg_pool__rounding=rounding),
        )
    for name, signed in (("signed", True), ("unsigned", False)):
        changes = {"input__signed": signed, "output__signed": signed}
        yield f"max_pool: {name}", drawn("max_pool", "tflite", 8, **changes)
        yield f"lookup: {name}", drawn("lookup", "tflite", **changes)


def _all() -> Iterator[tuple[str, Kind]]:
    for name, kind in _requantize():
        yield f"requantize: {name}", kind
    for overflow in HOLDING:
        for contract in ("tflite", "narrow20"):
            changes: dict[str, Any] = {"sum__overflow": overflow}
            yield f"bias_add: {contract}, {overflow}", drawn("bias_add", contract, **changes)
    for name, kind in _add():
        yield f"add: {name}", kind
    yield "clamp", drawn("clamp", "tflite")
    yield from _arrays()
    yield "conv_engine: single", layers(FixedPoint(21000, 23, "single", 16), "saturate")
    yield "conv_engine: power of two", layers(PowerOfTwo(9, "half_even"), "wrap")


KINDS: Final = dict(_all())

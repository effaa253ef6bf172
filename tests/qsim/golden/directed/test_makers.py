"""Directed vectors: right, reproducible, counted, and sharp enough to tell mistakes."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest

import hw_models as hw
from hw_models.requantize import reference as requantize_one
from hw_models.rounding import DETERMINISTIC, DIVISIONS, round_shift
from qsim import Target
from qsim.errors import UsageError
from qsim.golden import Case, directed
from qsim.golden.directed import vectors as v
from qsim.golden.single import compute
from qsim.program.schemes import decode_scheme

TARGETS = ("tflite", "tflite-single", "onnxruntime", "pytorch", "q7", "narrow20")
SIGNED = ("tflite", "tflite-single", "q7", "narrow20")
COUNT = 150
COMMON = {v.RANDOM, v.EXTREME}
CLASSES = {
    "correlation": {v.SIGNS, v.ZERO},
    "linear": {v.SIGNS},
    "matmul": {v.SIGNS},
    "bias_add": {v.OVERFLOW, v.CARRY, v.ZERO},
    "requantize": {v.TIE_UP, v.TIE_DOWN, v.BESIDE, v.EDGE, v.ZERO, v.MULTIPLE},
    "add": {v.TIE_UP, v.TIE_DOWN, v.BESIDE, v.EDGE, v.ZERO, v.SIGNS},
    "clamp": {v.EDGE, v.ZERO, v.ONE_BIT},
    "lookup": {v.EVERY, v.ZERO, v.ONE_BIT},
    "max_pool": {v.EDGE, v.ONE_BIT, v.WINDOW, v.SIGNS},
    "avg_pool": {v.TIE_UP, v.TIE_DOWN, v.BESIDE, v.EDGE, v.MULTIPLE, v.WINDOW},
    "strided_slice": {v.WHOLE, v.PART, v.STEP, v.BACKWARD, v.REPEATED, v.END},
    "gather": {v.WHOLE, v.PART, v.BACKWARD, v.REPEATED, v.END},
    "layer_norm": {v.TIE_UP, v.TIE_DOWN, v.EQUAL, v.ROOT, v.ONE_BIT},
    "group_norm": {v.TIE_UP, v.TIE_DOWN, v.EQUAL, v.ROOT, v.ONE_BIT},
    "rms_norm": {v.TIE_UP, v.TIE_DOWN, v.EQUAL, v.ROOT},
    "softmax": {v.EQUAL, v.MASKED, v.BESIDE, v.ZERO},
    "masked_softmax": {v.EQUAL, v.MASKED, v.BESIDE, v.ZERO, v.END},
    "integer_function": {v.ZERO, v.EVERY},
    "rotary": {v.TIE_UP, v.TIE_DOWN, v.BESIDE},
    "cache_write": {v.WHOLE, v.PART, v.END, v.WRAP, v.EXTREME, v.REPEATED, v.BACKWARD},
    "embedding": {v.WHOLE, v.BACKWARD, v.END, v.REPEATED, v.ONE_BIT},
}
# What they read is a class, not which codes.
MOVES = ("strided_slice", "gather", "cache_write", "embedding")


@cache
def made(primitive: str, target: str, seed: int = 0) -> tuple[Case, ...]:
    return tuple(directed.cases(primitive, Target.load(target), seed, COUNT))


def counts(cases: Any) -> Counter[str]:
    total: Counter[str] = Counter()
    for case in cases:
        total.update(case.classes)
    return total


def altered(target: str, **sections: dict[str, Any]) -> Target:
    document = Target.load(target).to_dict()
    document["name"] = "altered"
    for section, fields in sections.items():
        document[section] |= fields
    return Target.from_dict(document)


NORMS = ("layer_norm", "group_norm", "rms_norm")


def pairs(targets: Iterable[str], own: tuple[str, ...]) -> list[Any]:
    """Return each primitive with each target; norms, which one maker makes, with their own few."""
    return [
        pytest.param(primitive, name, marks=[pytest.mark.soak] if late else [])
        for primitive in directed.PRIMITIVES
        for name in targets
        for late in [primitive in NORMS and name not in own]
    ]


@pytest.mark.parametrize(("primitive", "target"), pairs(TARGETS, ("tflite", "q7")))
def test_the_kernels_equal_the_definitions(primitive: str, target: str) -> None:
    cases = made(primitive, target)
    assert len({case.name for case in cases}) == len(cases)
    for case in cases:
        assert np.array_equal(compute(case), case.expected), case.name
        assert sum(case.classes.values()) == case.expected.size, case.name
    total = counts(cases)
    assert total[v.RANDOM] >= COUNT
    wanted = CLASSES[primitive] | ({v.RANDOM} if primitive in MOVES else COMMON)
    if target not in SIGNED and primitive == "avg_pool":
        wanted -= {v.TIE_DOWN, v.MULTIPLE}  # unsigned codes have no negative sums
    assert wanted <= set(total)


# What depends on the target's arithmetic; the others take a minute on all of these targets.
QUICK = ("bias_add", "requantize", "add", "clamp")
LISTED = [
    pytest.param(
        primitive,
        name,
        marks=[pytest.mark.soak]
        if primitive not in QUICK or Target.load(name).input.bits > 8
        else [],
    )
    for name in Target.names()
    for primitive in directed.PRIMITIVES
    if name not in TARGETS and Target.load(name).has(primitive)
]


@pytest.mark.parametrize(("primitive", "target"), LISTED)
def test_every_primitive_of_every_shipped_target(primitive: str, target: str) -> None:
    cases = directed.cases(primitive, Target.load(target), 0, 1)
    for case in cases:
        assert np.array_equal(compute(case), case.expected), case.name
    assert set(counts(cases)) & CLASSES[primitive]
    if primitive == "add":
        assert {v.TIE_UP, v.TIE_DOWN} <= set(counts(cases))


@pytest.mark.parametrize("primitive", directed.PRIMITIVES)
def test_a_seed_fixes_the_vectors(primitive: str) -> None:
    target = Target.load("tflite")
    again = directed.cases(primitive, target, 0, COUNT)
    for first, second in zip(made(primitive, "tflite"), again, strict=True):
        assert first.name == second.name
        assert first.attributes == second.attributes
        assert first.classes == second.classes
        for name in ("operands", "constants"):
            arrays, others = getattr(first, name), getattr(second, name)
            assert list(arrays) == list(others)
            assert all(np.array_equal(arrays[key], others[key]) for key in arrays)
        assert np.array_equal(first.expected, second.expected)
    other = directed.cases(primitive, target, 1, COUNT)
    pairs = list(zip(other, again, strict=False))
    assert any(not np.array_equal(a.expected, b.expected) for a, b in pairs)


OTHERS = {
    "16 bits": altered(
        "tflite", input={"bits": 16}, output={"bits": 16}, add={"left_shift": 14},
        correlation={"bits": 48}, sum={"bits": 48}, requantize={"rounding": "single"},
    ),
    "4 bits": altered(
        "tflite", input={"bits": 4}, output={"bits": 4}, weight={"bits": 4},
        correlation={"bits": 16}, sum={"bits": 16}, bias={"bits": 16},
    ),
    "1 bit": altered(
        "onnxruntime", input={"bits": 1}, output={"bits": 1}, weight={"bits": 2}
    ),
    "errors": altered(
        "narrow20", correlation={"overflow": "error", "bits": 12},
        sum={"overflow": "error", "bits": 12}, bias={"bits": 12},
    ),
    "symmetric": altered(
        "narrow20", correlation={"overflow": "saturate_symmetric", "bits": 24},
        sum={"overflow": "saturate_symmetric", "bits": 22},
    ),
    "stochastic": altered("q7", requantize={"rounding": "stochastic"}),
    "jam": altered("q7", requantize={"rounding": "jam"}),
    "64-bit register": altered("q7", correlation={"bits": 64}, sum={"bits": 64}),
}  # fmt: skip


@pytest.mark.parametrize(("primitive", "name"), pairs(OTHERS, ("16 bits", "1 bit", "stochastic")))
def test_unusual_targets(primitive: str, name: str) -> None:
    cases = directed.cases(primitive, OTHERS[name], 3, 60)
    assert cases
    for case in cases:
        assert np.array_equal(compute(case), case.expected), case.name


def exact_quotients(case: Case) -> list[Fraction]:
    """The values of a requantization before any rounding."""
    scheme = decode_scheme(case.attributes["scheme"], case.constants)
    offset = case.attributes["input_zero_point"]
    found = []
    for index, acc in np.ndenumerate(case.operands["acc"]):
        shift = int(scheme.shifts[index[1]])
        multiplier = int(scheme.multipliers[index[1]]) if hasattr(scheme, "multipliers") else 1
        found.append(Fraction((int(acc) - offset) * multiplier) / Fraction(2) ** shift)
    return found


@pytest.mark.parametrize("target", ["tflite-single", "q7", "narrow20"])
def test_ties_are_ties(target: str) -> None:
    # Each is one by exact fractions; of `double`, some are ties of the first rounding only.
    for case in made("requantize", target):
        ties = [q for q in exact_quotients(case) if q % 1 == Fraction(1, 2)]
        assert sum(q > 0 for q in ties) >= case.classes.get(v.TIE_UP, 0)
        assert sum(q < 0 for q in ties) >= case.classes.get(v.TIE_DOWN, 0)
    assert counts(made("requantize", target))[v.TIE_DOWN] >= 50


def differing(cases: Any, other: Any) -> int:
    """How many elements of the cases another definition of a requantizer makes otherwise."""
    wrong = 0
    for case in cases:
        a: Any = case.attributes
        output = case.formats["output"]
        clamp = None if a["clamp"] is None else tuple(a["clamp"])
        low, high = clamp or (output.min, output.max)
        scheme = decode_scheme(a["scheme"], case.constants)
        for index, acc in np.ndenumerate(case.operands["acc"]):
            value = other(int(acc) - a["input_zero_point"], scheme, index[1]) + a["zero_point"]
            wrong += min(max(value, low), high) != case.expected[index]
    return wrong


def test_every_rounding_of_a_shift_is_told_from_every_other() -> None:
    target = Target.load("q7")
    for rounding in DETERMINISTIC:
        document = target.to_dict()
        document["requantize"]["rounding"] = rounding
        cases = directed.cases("requantize", Target.from_dict(document), 0, 0)
        for wrong in DETERMINISTIC:
            found = differing(
                cases, lambda x, s, c, wrong=wrong: round_shift(x, int(s.shifts[c]), wrong)
            )
            assert (found == 0) == (wrong == rounding), (rounding, wrong)


WRONG_SINGLE = {
    "floor": lambda p, s: p >> s,
    "ties down": lambda p, s: (p + (1 << s >> 1) - 1) >> s if s else p,
    "one too much": lambda p, s: (p + (1 << s >> 1) + 1) >> s if s else p,
    "half away": lambda p, s: round_shift(p, s, "half_away"),
    "half even": lambda p, s: round_shift(p, s, "half_even"),
    "product of 62 bits": lambda p, s: round_shift(hw.FixedFormat(62).wrap(p), s, "half_up"),
    "shift of 5 bits": lambda p, s: round_shift(p, s & 31, "half_up"),
}


@pytest.mark.parametrize("name", WRONG_SINGLE)
def test_a_wrong_single_rounding_is_found(name: str) -> None:
    def other(x: int, s: Any, c: int) -> int:
        return WRONG_SINGLE[name](x * int(s.multipliers[c]), int(s.shifts[c]))

    assert differing(made("requantize", "tflite-single"), other) > 0


def double(x: int, s: Any, c: int, *, nudge: str = "", second: str = "half_away") -> int:
    m, shift, n = int(s.multipliers[c]), int(s.shifts[c]), s.bits - 1
    left, right = max(n - shift, 0), max(shift - n, 0)
    product = hw.FixedFormat(32).wrap(x << left) * m
    if nudge == "shift for division":  # C's division truncates; >> does not
        b = (product + ((1 << (n - 1)) if product >= 0 else 1 - (1 << (n - 1)))) >> n
    else:
        b = round_shift(product, n, nudge or "half_up")
    if nudge != "unsaturated":
        b = min(b, (1 << 31) - 1)
    return round_shift(b, right, second)


@pytest.mark.parametrize(
    "keywords",
    [
        {"nudge": "shift for division"},
        {"nudge": "half_away"},
        {"nudge": "half_down"},
        {"nudge": "half_even"},
        {"nudge": "floor"},
        {"second": "half_up"},
        {"second": "half_even"},
        {"second": "half_toward_zero"},
        {"second": "floor"},
    ],
    ids=str,
)
def test_a_wrong_double_rounding_is_found(keywords: dict[str, str]) -> None:
    cases = made("requantize", "tflite")
    assert differing(cases, double) == 0
    assert differing(cases, lambda *x: double(*x, **keywords)) > 0


def test_single_and_double_rounding_are_told_apart() -> None:
    def single(x: int, s: Any, c: int) -> int:
        return round_shift(x * int(s.multipliers[c]), int(s.shifts[c]), "half_up")

    assert differing(made("requantize", "tflite"), single) > 0
    assert differing(made("requantize", "tflite-single"), double) > 0


def outputs(primitive: str, target: Target) -> list[np.ndarray]:
    """The results of the directed operands of another target, under this one's rules."""
    return [compute(case) for case in directed.cases(primitive, target, 0, 0)]


@pytest.mark.parametrize("primitive", ["correlation", "linear", "matmul"])
def test_overflow_rules_and_places_are_told_apart(primitive: str) -> None:
    base = Target.load("narrow20")
    cases = directed.cases(primitive, base, 0, 0)
    results = {}
    for overflow, at in itertools.product(
        ("wrap", "saturate", "saturate_symmetric"), ("sum", "mac")
    ):
        register = {"bits": 20, "overflow": overflow, "at": at, "order": "channel_first"}
        results[overflow, at] = with_register(cases, register)
    different = {key: b"".join(a.tobytes() for a in arrays) for key, arrays in results.items()}
    assert different.pop(("wrap", "sum")) == different["wrap", "mac"]
    assert len(set(different.values())) == len(different)


def with_register(cases: list[Case], register: dict[str, Any]) -> list[np.ndarray]:
    """Compute the cases with another accumulator."""
    form = hw.Accumulator(**register).format
    changed = [
        dataclasses.replace(
            case,
            attributes={**case.attributes, "accumulator": register},
            formats={**case.formats, "output": form},
            expected=np.zeros(case.expected.shape, form.dtype),
        )
        for case in cases
    ]
    return [compute(case) for case in changed]


def test_the_order_of_products_is_told_apart() -> None:
    cases = directed.cases("correlation", Target.load("narrow20"), 0, 0)
    first, last = (
        with_register(cases, {"bits": 20, "overflow": "saturate", "at": "mac", "order": order})
        for order in ("channel_first", "channel_last")
    )
    assert sum(int((a != b).sum()) for a, b in zip(first, last, strict=True)) >= 10


def test_a_wide_register_overflows_too() -> None:
    (case,) = (case for case in made("correlation", "tflite") if case.name.endswith(".long"))
    wide = with_register(
        [case], {"bits": 40, "overflow": "wrap", "at": "sum", "order": "channel_last"}
    )
    assert int(wide[0].item()) < -(1 << 31) < 0 < int(case.expected.item())


def test_a_wide_register_of_symmetric_codes_saturates() -> None:
    cases = directed.cases("correlation", Target.load("nvdla-like"), 0, 0)
    (case,) = (case for case in cases if case.name.endswith(".long"))
    assert case.expected.item() == -(1 << 31)


def test_overflow_rules_of_bias_add_are_told_apart() -> None:
    cases = directed.cases("bias_add", Target.load("narrow20"), 0, 0)
    rules = ((20, "wrap"), (20, "saturate"), (20, "saturate_symmetric"), (21, "wrap"))
    results = [
        with_register(
            cases, {"bits": bits, "overflow": rule, "at": "sum", "order": "channel_first"}
        )
        for bits, rule in rules
    ]
    assert len({b"".join(a.astype(np.int64).tobytes() for a in arrays) for arrays in results}) == 4


@pytest.mark.parametrize(
    ("primitive", "name"), [("avg_pool", "rounding"), ("add", "scheme")], ids=str
)
def test_other_roundings_are_told_apart(primitive: str, name: str) -> None:
    if primitive == "avg_pool":
        cases = [c for c in made("avg_pool", "tflite") if "windows" in c.name]
        changed = [
            [dataclasses.replace(c, attributes={**c.attributes, name: r}) for c in cases]
            for r in DIVISIONS
        ]
    else:
        cases = list(made("add", "q7"))
        changed = [
            [
                dataclasses.replace(c, attributes={**c.attributes, name: rounded(c, r)})
                for c in cases
            ]
            for r in DETERMINISTIC
        ]
    results = {b"".join(compute(c).tobytes() for c in group) for group in changed}
    assert len(results) == len(changed)


def rounded(case: Case, rounding: str) -> Any:
    scheme: Any = case.attributes["scheme"]
    return {**scheme, "out": {**scheme["out"], "rounding": rounding}}


@pytest.mark.parametrize("primitive", directed.PRIMITIVES)
def test_variants_hold_every_other_scheme(primitive: str) -> None:
    target = Target.load("narrow20")
    cases = directed.variants(primitive, target, 1, 0)
    assert len({case.name for case in cases}) == len(cases)
    for case in cases:
        assert np.array_equal(compute(case), case.expected), case.name
    if primitive == "requantize":
        schemes: Any = [case.attributes["scheme"] for case in cases]
        assert {s["rounding"] for s in schemes if "seed" in s} == set(hw.ROUNDINGS)
        found = {(s["rounding"], s["bits"]) for s in schemes if s["kind"] == "fixed_point"}
        assert {("double", 8), ("double", 32), ("single", 8), ("single", 32)} <= found
        shifts = np.concatenate(
            [c.constants["scheme.right_shift"] for c in cases if "single" in c.name]
        )
        assert set(shifts.tolist()) == set(range(63))


def test_the_draw_of_a_stochastic_rounding_is_that_of_the_index() -> None:
    (case, *_) = directed.cases("requantize", OTHERS["stochastic"], 7, 0)
    scheme = decode_scheme(case.attributes["scheme"], case.constants)
    assert scheme.seed == 7
    from hw_models.rounding import splitmix64

    size = case.expected.shape[2]
    flat = case.operands["acc"].ravel()
    wanted = [
        requantize_one(int(acc), scheme, channel=i // size, draw=splitmix64(7, i))
        for i, acc in enumerate(flat)
    ]
    assert case.expected.ravel().tolist() == wanted
    still = [requantize_one(int(acc), scheme, channel=i // size) for i, acc in enumerate(flat)]
    assert still != wanted


@pytest.mark.parametrize("function", [directed.cases, directed.variants])
def test_refusals(function: Any) -> None:
    target = Target.load("tflite")
    with pytest.raises(UsageError, match=r"'reshape'.*requantize"):
        function("reshape", target)
    with pytest.raises(UsageError, match="not be negative, not -1"):
        function("add", target, 0, -1)
    wide = altered("q7", input={"bits": 24}, output={"bits": 24})
    with pytest.raises(UsageError, match=r"24.*1\.\.16 bits"):
        list(directed.cases("lookup", wide))

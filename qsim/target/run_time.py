"""Rules of what a target computes in float32: quantizing at run time, and what stands around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.target.rule import Rule
from qsim.target.words import DYNAMIC_PRIMITIVES, FLOAT_PRIMITIVES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.target.contract import Target
    from qsim.target.optional import Dynamic, Floats


def run_time(t: Target) -> Iterator[Rule]:
    """Give the rules of the sections that a target has."""
    if t.dynamic is not None:
        yield from _dynamic(t, t.dynamic)
    if t.floats is not None:
        yield from _floats(t, t.floats)


def _dynamic(t: Target, dynamic: Dynamic) -> Iterator[Rule]:
    yield Rule(
        not dynamic.symmetric or dynamic.formula in ("torch", "power-of-two"),
        "dynamic.symmetric",
        f"is true, but the formula {dynamic.formula!r} always has a zero point",
        "false, or formula = 'torch' or 'power-of-two'",
    )
    yield Rule(
        not (dynamic.fused and dynamic.order == "row_first"),
        "dynamic.fused",
        "is true, but order = 'row_first' rounds each step",
        "false, or another order",
    )
    yield Rule(
        dynamic.order != "row_last" or "linear_groups" in t.primitives.available,
        "dynamic.order",
        "is 'row_last', but the target has no 'linear_groups', whose order it is",
        "product or row_first, or 'linear_groups' in primitives.available",
    )
    for name in DYNAMIC_PRIMITIVES:
        yield Rule(
            name in t.primitives.available,
            "primitives.available",
            f"has no {name!r}, which [dynamic] is made of",
            f"a list with {', '.join(DYNAMIC_PRIMITIVES)}; or no section [dynamic]",
        )


def _floats(t: Target, floats: Floats) -> Iterator[Rule]:
    yield Rule(
        t.dynamic is not None,
        "floats",
        "stands without [dynamic], whose products it surrounds",
        "a section [dynamic]; or no section [floats]",
    )
    per_token = t.dynamic is not None and t.dynamic.granularity == "token"
    yield Rule(
        floats.products == "float" or not per_token,
        "floats.products",
        "is 'dynamic', but [dynamic] has a scale per token, which a second operand has not",
        "'float', or granularity = 'tensor'",
    )
    product = "float_matmul" if floats.products == "float" else "dynamic_matmul"
    wanted = (*FLOAT_PRIMITIVES, product)
    for name in wanted:
        yield Rule(
            name in t.primitives.available,
            "primitives.available",
            f"has no {name!r}, which [floats] is made of",
            f"a list with {', '.join(wanted)}; or no section [floats]",
        )

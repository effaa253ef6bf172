"""Primitives, patterns and passes of one's own, registered from outside the package.

    qsim.extend.register_primitive("gate", BINDING)       # qsim.binding.Binding
    qsim.extend.register_pattern(PATTERN)                  # qsim.patterns.Pattern
    qsim.extend.register_pass("find_gate", find_gate, before="fold_constants")

The same objects can be *entry points* of an installed package, in the groups ``qsim.primitives``,
``qsim.patterns`` and ``qsim.passes``. They are loaded when a model is quantized or lowered;
primitives alone (which need no torch) when a target names one that the package does not have; none
before. Which modules are imported is said by what is installed: no file can name one.

docs/extending.md has a worked example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.registry import (
    Binding,
    Pass,
    Pattern,
    add_pattern,
    add_primitive,
    check_name,
    has_primitive,
    load,
    passes,
)
from qsim.registry.entry_points import GROUPS

if TYPE_CHECKING:
    from qsim.registry.passes import GraphPass

__all__ = [
    "GROUPS",
    "Binding",
    "Pass",
    "Pattern",
    "has_primitive",
    "load",
    "register_pass",
    "register_pattern",
    "register_primitive",
]


def register_primitive(name: str, binding: Binding) -> None:
    """Add a primitive: its name in targets and Programs, its attributes and the code that runs it.

    Raises:
        UsageError: not a name or not a Binding, or another primitive has the name.
    """
    add_primitive(name, binding)


def register_pattern(pattern: Pattern) -> None:
    """Add a lowering pattern; it is asked before the built-in ones.

    Raises:
        UsageError: not a Pattern, or another pattern has its name.
    """
    add_pattern(pattern)


def register_pass(
    name: str, run: GraphPass, *, before: str | None = None, after: str | None = None
) -> None:
    """Add a rewrite of the exported graph, at a place in ``qsim.quantizer.passes.order``.

    Args:
        name: unique.
        run: takes the graph module, which it changes, and the target. New nodes need no metadata:
            shapes are found afterwards.
        before: the pass that it runs right before; or
        after: the pass that it runs right after. Without either it runs last.

    Raises:
        UsageError: not a name or not callable, both places, or another pass has the name.
    """
    check_name("pass", name)
    passes.register(Pass(name, run, before=before, after=after))

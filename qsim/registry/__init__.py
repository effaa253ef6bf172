"""What may be registered from outside: bindings of primitives, patterns and passes, by name.

The lowering, the quantizer and targets read these registries; the built-in bindings, patterns and
passes stand in rooms above. ``patterns``, ``passes`` and ``primitives`` are used as modules.
"""

from __future__ import annotations

from qsim.registry.binding import (
    MAX_OPERANDS,
    Attributes,
    Binding,
    Kernel,
    Operand,
    codes_of,
    nothing_more,
)
from qsim.registry.entry_points import add_pattern, add_primitive, check_name, has_primitive, load
from qsim.registry.forms import Form, form_of
from qsim.registry.passes import Pass, ordered
from qsim.registry.pattern import Pattern, Weights, needs
from qsim.registry.primitives import REGISTERED
from qsim.registry.reason import KINDS, Kind, Reason

__all__ = [
    "KINDS",
    "MAX_OPERANDS",
    "REGISTERED",
    "Attributes",
    "Binding",
    "Form",
    "Kernel",
    "Kind",
    "Operand",
    "Pass",
    "Pattern",
    "Reason",
    "Weights",
    "add_pattern",
    "add_primitive",
    "check_name",
    "codes_of",
    "form_of",
    "has_primitive",
    "load",
    "needs",
    "nothing_more",
    "ordered",
]

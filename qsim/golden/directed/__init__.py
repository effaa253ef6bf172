"""Directed vectors: operands chosen for what goes wrong, with the outputs of the definitions."""

from __future__ import annotations

from qsim.golden.directed.makers import PRIMITIVES, cases, holding, variants

__all__ = ["PRIMITIVES", "cases", "holding", "variants"]

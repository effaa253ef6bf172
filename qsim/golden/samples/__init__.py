"""Vectors of the primitives that have no directed ones: corners of the codes, then drawn ones.

What is expected comes from the kernels of hw_models, each of which its own tests compare with its
definition in plain integers.
"""

from __future__ import annotations

from qsim.golden.samples.makers import PRIMITIVES, cases

__all__ = ["PRIMITIVES", "cases"]

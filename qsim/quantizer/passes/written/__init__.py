"""Passes over what models write by hand, in plain operators, although torch has one for it."""

from qsim.quantizer.passes.written.norms import whole_norms

__all__ = ["whole_norms"]

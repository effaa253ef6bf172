"""Passes over what models write by hand, in plain operators, although one has it all."""

from qsim.quantizer.passes.written.masks import masked_softmaxes
from qsim.quantizer.passes.written.norms import whole_norms

__all__ = ["masked_softmaxes", "whole_norms"]

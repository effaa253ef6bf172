"""Quantize, in its parts: the formulas, their kernels, and how parameters lie along a tensor."""

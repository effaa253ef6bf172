"""Sums of two codes: how each scheme aligns its operands, and the kernels."""

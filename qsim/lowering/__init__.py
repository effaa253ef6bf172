"""Lowers a Q/DQ graph to a host graph and integer Programs."""

from qsim.lowering.assemble import lower

__all__ = ["lower"]

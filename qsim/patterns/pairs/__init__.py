"""Element-wise operators on two tensors."""

from qsim.patterns.pairs.common import broadcasts

__all__ = ["broadcasts"]

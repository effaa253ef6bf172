"""The maximum of two activations, or of one and a constant, that share their parameters."""

from typing import Final

from qsim.patterns.pairs.extremum import extremum

PATTERN: Final = extremum("maximum")

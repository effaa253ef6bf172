"""A combinational module as z3 terms: one term per output, over one bit-vector per input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import z3

from qsim.errors import FileFormatError
from qsim.formal import clocked

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Circuit:
    """A module without state.

    Attributes:
        inputs: their widths.
        outputs: their terms; an input is the constant of its own name.
    """

    inputs: Mapping[str, int]
    outputs: Mapping[str, Any]

    def apply(self, name: str, values: Mapping[str, Any]) -> Any:
        """Return an output for these inputs; one that is not given may be anything."""
        pairs = [(z3.BitVec(port, term.size()), term) for port, term in values.items()]
        return z3.substitute(self.outputs[name], *pairs)


def parse(smt2: str) -> Circuit:
    """Read what ``yosys.smt2`` returned.

    Raises:
        FileFormatError: the module holds state, or depends on a net that nothing drives, or x.
    """
    found = clocked.read_clocked(smt2)
    if found.names:
        raise FileFormatError(
            f"the core must be combinational, and {found.names[0]} is a register",
            accepted="a module without clocked processes",
        )
    if found.choices:
        raise FileFormatError("the core must not use nets that nothing drives, or x")
    return Circuit(found.inputs, found.outputs)

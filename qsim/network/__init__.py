"""Lowered networks: steps on the host around integer Programs; files and traces of them."""

from __future__ import annotations

from qsim.network.hostops import computes, encode_torch_step
from qsim.network.integer_io import integer_boundary
from qsim.network.lengths import Lengths, Size
from qsim.network.lengths import fit as fit_lengths
from qsim.network.lengths import further as further_lengths
from qsim.network.lengths import points as length_points
from qsim.network.lowered import Lowered
from qsim.network.programs import program_from_bytes, program_to_bytes
from qsim.network.reading import from_bytes, load
from qsim.network.session import Session
from qsim.network.states import State
from qsim.network.steps import DTYPES, HostOperator, Step, ValueSpec
from qsim.network.store import FORMAT_VERSION, parse, read_arrays, to_bytes
from qsim.network.structure import from_treespec
from qsim.network.trace import Entry, Trace
from qsim.network.without_states import stateless

__all__ = [
    "DTYPES",
    "FORMAT_VERSION",
    "Entry",
    "HostOperator",
    "Lengths",
    "Lowered",
    "Session",
    "Size",
    "State",
    "Step",
    "Trace",
    "ValueSpec",
    "computes",
    "encode_torch_step",
    "fit_lengths",
    "from_bytes",
    "from_treespec",
    "further_lengths",
    "integer_boundary",
    "length_points",
    "load",
    "parse",
    "program_from_bytes",
    "program_to_bytes",
    "read_arrays",
    "stateless",
    "to_bytes",
]

"""Mutants of RTL: would the vectors notice a changed gate? Needs yosys (extra ``formal``)."""

from __future__ import annotations

from qsim.mutants.changes import Change, change
from qsim.mutants.designs import campaign
from qsim.mutants.killing import Hunt, Mutant, Score, Status, largest, merged, runs
from qsim.mutants.netlist import CHOICE, MOST, SELECT, Mutants, instance, mutants
from qsim.mutants.same import Same

__all__ = [
    "CHOICE",
    "MOST",
    "SELECT",
    "Change",
    "Hunt",
    "Mutant",
    "Mutants",
    "Same",
    "Score",
    "Status",
    "campaign",
    "change",
    "instance",
    "largest",
    "merged",
    "mutants",
    "runs",
]

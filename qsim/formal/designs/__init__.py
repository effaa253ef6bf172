"""Proofs of somebody else's RTL: what a ``dut.toml`` binds equals the target's definition."""

from __future__ import annotations

from qsim.formal.designs.reading import Reading
from qsim.formal.designs.tables import TableProof, table_proof
from qsim.formal.designs.task import DesignTask
from qsim.formal.designs.tasks import design_tasks, needs_model, require_provable

__all__ = [
    "DesignTask",
    "Reading",
    "TableProof",
    "design_tasks",
    "needs_model",
    "require_provable",
    "table_proof",
]

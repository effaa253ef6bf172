"""A call whose beats are there already, where the benches take cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qsim.cosim.jobs.unit import Job


@dataclass(frozen=True, slots=True)
class Prepared:
    """One call of a block that no primitive is.

    Attributes:
        job: its beats.
    """

    job: Job

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.job.name

    @property
    def layer(self) -> str:
        """Of the job."""
        return self.job.layer

    @property
    def primitive(self) -> str:
        """Of the job."""
        return self.job.primitive

    @property
    def size(self) -> int:
        """Elements of its result."""
        return self.job.elements

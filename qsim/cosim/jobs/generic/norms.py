"""Jobs of norms for somebody else's RTL: the beats of ours, a packet in and a packet out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qsim.cosim.jobs import norm

if TYPE_CHECKING:
    from qsim.cosim.jobs.unit import Job
    from qsim.golden import Case
    from qsim.target import Target


def job(case: Case, target: Target) -> Job:
    """Return every row as a packet, with the numbers of its elements and of its scheme.

    How many digits its root has is the design's own.

    Raises:
        UsageError: its rescale is a scheme without RTL.
    """
    made = norm.job(case, target)
    count = norm.row_length(case)
    unit = replace(made.unit, module="", sources=(), parameters={}, packet=count)
    return replace(made, unit=unit)

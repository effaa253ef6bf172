"""What came out of a job, as integers beside what was expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from qsim.cosim.dut import Dut
    from qsim.cosim.jobs import Flags, Job, Words
    from qsim.cosim.lanes import LaneResult, Stimulus

    Integers = npt.NDArray[np.int64 | np.uint64]


@dataclass(frozen=True)
class Observed:
    """The results of a job that ran to its end, whole.

    Attributes:
        job: what was sent.
        result: what the lane says of it.
        expected, actual: [beats, lanes]: the results.
        carried: [beats, lanes]: lanes that hold an element.
        unknown: [beats]: those with a bit that is x or z; their ``actual`` is not known.
        dut: the design, where it is somebody else's.
        stimulus: how beats were offered and taken.
    """

    job: Job
    result: LaneResult
    expected: Integers
    actual: Integers
    carried: Flags
    unknown: Flags
    dut: Dut | None
    stimulus: Stimulus

    @property
    def wrong(self) -> Flags:
        """[beats, lanes]: the elements that differ."""
        differs = (self.expected != self.actual) | self.unknown[:, None]
        return np.asarray(differs & self.carried, np.bool_)

    @property
    def differing(self) -> int:
        """How many elements differ."""
        return int(np.count_nonzero(self.wrong))


def observe(job: Job, result: LaneResult, dut: Dut | None, stimulus: Stimulus) -> Observed | None:
    """Return the results of a job as integers.

    None where that would be less than all: results that did not come or came twice, differences
    that were not kept.
    """
    told = result.differences
    if result.beats_out < len(job.expected) or result.differing > len(told) or stimulus.resets:
        return None
    unknown = np.zeros(len(job.expected), np.bool_)
    layout = job.unit.outputs
    words: Words = job.expected.copy()
    for each in told:
        if "x" in each.actual or "z" in each.actual:
            unknown[each.beat] = True
            continue
        value = int(each.actual, 16)
        words[each.beat] = [(value >> (64 * word)) & (2**64 - 1) for word in range(layout.words)]
    return Observed(
        job=job,
        result=result,
        expected=layout.unpack(job.expected)[job.field],
        actual=layout.unpack(words)[job.field],
        carried=np.asarray(job.element >= 0, np.bool_),
        unknown=unknown,
        dut=dut,
        stimulus=stimulus,
    )

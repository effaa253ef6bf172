"""Units and jobs: the RTL that serves a call of a primitive, and the beats that drive it.

A *unit* is a module with its parameters and the layouts of its two streams; calls that agree on
them share one build. A *job* is what one call sends through it and what must come out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.cosim.jobs.beats import Flags, Layout, Words


@dataclass(frozen=True)
class Unit:
    """One elaboration of a module.

    Attributes:
        primitive: a primitive of Programs, or ``conv_engine``.
        module: name of the SystemVerilog module, and stem of its file; empty where the repository
            has none.
        sources: files of ``rtl_tb/rtl`` that it needs, in compile order, its own last.
        parameters: values of the module's parameters.
        inputs, outputs: the beats of its two streams.
        packet: where packets go in and come out, each of a length of its own: how many results
            each has; 0 elsewhere.
    """

    primitive: str
    module: str
    sources: tuple[str, ...]
    parameters: Mapping[str, int]
    inputs: Layout
    outputs: Layout
    packet: int = 0


@dataclass(frozen=True)
class Job:
    """The beats of one call.

    Attributes:
        name: of the case.
        layer: of the case.
        primitive: of the case.
        unit: what it runs on.
        beats, last: what is sent: [n, words] and tlast [n].
        expected, expected_last: what must come out: [m, words] and tlast [m].
        field: the output field that holds results.
        element: [m, lanes of that field]: the flat index, in the C order of ``shape``, of the
            element of the call's result that each lane holds; -1 where a lane holds none.
        shape: of the call's result.
    """

    name: str
    layer: str
    primitive: str
    unit: Unit
    beats: Words
    last: Flags
    expected: Words
    expected_last: Flags
    field: str
    element: npt.NDArray[np.int64]
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """How many elements of the result the beats carry."""
        return int(np.count_nonzero(self.element >= 0))

"""What a lowered network is made of: values, steps, Programs, constants, checked as a whole."""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import TYPE_CHECKING

from qsim.memory import Space
from qsim.network.states import in_programs
from qsim.network.structure import plain
from qsim.network.wiring import check_network
from qsim.program import in_native_order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qsim.network.lengths import Lengths
    from qsim.network.states import State
    from qsim.network.steps import HostOperator, Step, ValueSpec
    from qsim.program import Array, Json, Program
    from qsim.target import Target


class Network:
    """A quantized network, lowered for a target: data that files, checks and rewrites read.

    Attributes:
        target: the contract whose integers it computes.
        inputs, outputs: what it takes and returns.
        steps: in the order of execution.
        programs: the integer parts, by index.
        constants: arrays of host operators.
        host_operators: what stayed in torch, with its layer and the reason.
        model: the name of the model, for reports.
        structure: how the outputs are nested, see ``qsim.network.structure``; None for one bare
            output, or a tuple of several.
        states: what it keeps from one step to the next; see ``qsim.network.session``.
        warnings: what lowering found that the datapath loses, in words; files do not keep it.
        lengths: where sequences may have any length within bounds, how all of this, which is that
            of the longest, follows from the length; else None.

    Raises:
        ModelError: steps, programs and values do not fit together, or a Program does not fit the
            target's memory.
    """

    def __init__(
        self,
        target: Target,
        inputs: Sequence[ValueSpec],
        outputs: Sequence[ValueSpec],
        steps: Sequence[Step],
        programs: Sequence[Program],
        constants: Mapping[str, Array] | None = None,
        host_operators: Sequence[HostOperator] = (),
        model: str = "",
        structure: Json = None,
        states: Sequence[State] = (),
    ) -> None:
        self.target = target
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.steps = tuple(steps)
        self.states = tuple(states)
        memory = Space(target.memory.bytes, target.memory.alignment, target.memory.banks)
        self.programs = tuple(program.placed_in(memory) for program in programs)
        held = {name: in_native_order(array) for name, array in (constants or {}).items()}
        self.constants = MappingProxyType(held)
        self.host_operators = tuple(host_operators)
        self.model = model
        self.structure = plain(len(self.outputs)) if structure is None else structure
        self.warnings: tuple[str, ...] = ()
        self.lengths: Lengths | None = None
        check_network(self)
        if self.states:
            self.programs = tuple(in_programs(self.programs, self.steps, self.states))
        if memory.limited:
            for program in self.programs:
                program.allocate()

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 of all that decides the integers: see ``qsim.network.digest``."""
        if self.lengths is not None:
            return self.lengths.digest(self)
        from qsim.network.digest import network_digest

        return network_digest(self)

    def free(self, lengths: Lengths | None) -> None:
        """Let sequences have any of these lengths: the network is that of the longest."""
        if lengths is not None:
            self.__dict__.pop("digest", None)
            self.lengths = lengths
            self.inputs, self.outputs = lengths.marked(self)

    def programs_in_order(self) -> list[Program]:
        """Return the programs in the order in which the steps run them."""
        return [
            self.programs[int(str(step.attributes["program"]))]
            for step in self.steps
            if step.kind == "program"
        ]

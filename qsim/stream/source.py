"""What encoders know: the Program, how its tensors lie, who reads them, and packed constants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qsim.stream.command import NotInStream
from qsim.stream.homes import Homes
from qsim.stream.layout import Layout, layouts

if TYPE_CHECKING:
    from collections.abc import Callable

    from hw_models import FixedFormat
    from qsim.program import Array, Call, ProgramData
    from qsim.stream.constants import Constants


@dataclass
class Source:
    """A Program at one batch size.

    Attributes:
        program: the network.
        batch: its batch size.
        constants: grows while commands are encoded.
        kept: what does not depend on the batch, by any key: packed weights, tried lines.
        layouts: of every tensor, and of what commands leave for others of the same call.
        made: constants that are no one's: weights in another order; by any name.
        homes: where tensors live, once that is planned.
        readers: indices of the calls that read a tensor.
    """

    program: ProgramData
    batch: int
    constants: Constants
    kept: dict[Any, Any]
    layouts: dict[str, Layout] = field(init=False)
    made: dict[str, Array] = field(init=False, default_factory=dict)
    homes: Homes = field(init=False, default_factory=Homes)
    readers: dict[str, list[int]] = field(init=False)
    _formats: dict[str, FixedFormat] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.layouts = dict(layouts(self.program, self.batch))
        self.readers = {}
        for index, call in enumerate(self.program.calls):
            for name in call.inputs:
                self.readers.setdefault(name, []).append(index)

    def format(self, name: str) -> FixedFormat:
        """Return the format of a tensor, or of what a command leaves for another."""
        known = self._formats.get(name)
        return self.program.tensors[name].codes if known is None else known

    def constant(self, name: str) -> Array:
        """Return a constant, of the Program or made here."""
        made = self.made.get(name)
        return self.program.constants[name] if made is None else made

    def codes(self, name: str, *, wide: bool = False) -> Layout:
        """Return the layout of a tensor of codes of 8 bits or less; ``wide``: or 16 with a sign.

        Raises:
            NotInStream: a constant, or wider codes.
        """
        if name in self.program.constants:
            raise NotInStream(f"{name} is a constant")
        codes = self.format(name)
        if codes.bits > 8 and not (wide and codes.signed and codes.bits <= 16):
            taken = "8, or 16 with a sign" if wide else "8"
            raise NotInStream(f"{name} has {codes.bits} bits: the loop takes {taken}")
        return self.layouts[name]

    def kept_once(self, call: Call, what: str, make: Callable[[Source, int, Call], Any]) -> Any:
        """Return what does not depend on the batch: made at its first use."""
        key = (what, call.name)
        if key not in self.kept:
            self.kept[key] = make(self, self.program.calls.index(call), call)
        return self.kept[key]

    def lies(self, name: str, whole: str, start: int) -> bool:
        """Return whether a tensor begins so many bytes behind where another begins."""
        buffers, starts = self.homes.buffers, self.homes.starts
        return buffers[name] == buffers[whole] and starts[name] == starts[whole] + start

    def between(
        self, call: Call, number: int, layout: Layout, codes: FixedFormat | None = None
    ) -> str:
        """Return a name for what a command leaves for the next one of its call."""
        name = f"{call.output} ({number})"
        self.layouts[name] = layout
        if codes is not None:
            self._formats[name] = codes
        return name

    def follower(self, name: str, primitive: str) -> tuple[int, Call] | None:
        """Return the only call that reads a tensor, with its index, if it is of a primitive."""
        readers = self.readers.get(name, [])
        if name in self.program.outputs or len(readers) != 1:
            return None
        call = self.program.calls[readers[0]]
        return (readers[0], call) if call.primitive == primitive else None

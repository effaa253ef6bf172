"""A network whose sequences may have any length within bounds: that of the bound, and functions.

No Program has symbolic shapes. What is kept is the network of the longest sequence, and how every
integer of its shapes and attributes follows from the length; a constant that depends on it is a
part, from its beginning on, of that of the bound. A network of a length is made when it is asked
for.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from qsim import canonical
from qsim.errors import InputError, UsageError
from qsim.program import is_int, show_shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qsim.network.data import Network
    from qsim.network.lengths.items import Path
    from qsim.network.lengths.sizes import Size
    from qsim.network.steps import ValueSpec
    from qsim.program import Json, Program

N = TypeVar("N", bound="Network")


@dataclass(frozen=True)
class Lengths:
    """How a network depends on the length of its sequences.

    Attributes:
        least, most: the lengths that it takes; its own shapes are those of ``most``.
        regular: the least length that was fitted: 2 where a sequence of one element, lowered
            alone, has other steps (a row is then the whole), and follows from the others here.
        axes: the inputs, by position, and the dimensions that are the length.
        sizes: of every integer that depends on it, where it stands and how.
        windows: of every constant that depends on it, its owner (``host`` or a Program's number),
            its name and an axis, and how much of the axis is taken.
        tables: of what no function gives (the multiplier of a mean over tokens), where it stands,
            and what it is at each length from ``least`` on.
    """

    least: int
    regular: int
    most: int
    axes: tuple[tuple[int, int], ...]
    sizes: Mapping[Path, Size] = field(repr=False)
    windows: Mapping[tuple[str, str, int], Size] = field(repr=False)
    tables: Mapping[Path, tuple[Json, ...]] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.least}..{self.most}"

    def check(self, length: int) -> int:
        """Return a length that is asked for.

        Raises:
            UsageError: it is none of those that the network takes.
        """
        if is_int(length) and self.least <= length <= self.most:
            return length
        raise UsageError(
            f"length is {length!r:.40}", where="length", accepted=f"{self.least} to {self.most}"
        )

    def of(self, shapes: Sequence[tuple[int, ...]], specs: Sequence[ValueSpec]) -> int:
        """Return the length of inputs of these shapes.

        Raises:
            InputError: an empty sequence, one beyond the bounds, or inputs that disagree.
        """
        known: tuple[int, str] | None = None
        for index, axis in self.axes:
            shape, spec = shapes[index], specs[index]
            where = f"input {spec.name!r}"
            if len(shape) != len(spec.shape):
                raise InputError(
                    f"shape must be {self.shown(spec)}, not {show_shape(shape)}",
                    where=where,
                    accepted=self.shown(spec),
                )
            length = shape[axis]
            if not self.least <= length <= self.most:
                what = "an empty sequence" if length == 0 else f"a sequence of length {length}"
                raise InputError(
                    f"{what} in dimension {axis}",
                    where=where,
                    accepted=f"lengths {self.least} to {self.most}",
                )
            if known is not None and known[0] != length:
                raise InputError(
                    f"a sequence of length {length} beside one of {known[0]} in {known[1]}",
                    where=where,
                    accepted="one length for all inputs",
                )
            known = length, where
        assert known is not None  # noqa: S101 - there is an axis, or there are no lengths
        return known[0]

    def shown(self, spec: ValueSpec) -> str:
        """Return the shape of a spec as people write it: ``[N, 1..128, 8]``."""
        free = {axis: f"{least}..{most}" for axis, least, most in spec.free}
        sizes = [free.get(axis, str(size)) for axis, size in enumerate(spec.shape)]
        return f"[{', '.join('N' if size == '-1' else size for size in sizes)}]"

    def marked(self, network: Network) -> tuple[tuple[ValueSpec, ...], tuple[ValueSpec, ...]]:
        """Return a network's inputs and outputs with the bounds of their free dimensions."""
        return (
            tuple(self._marked(("inputs", at), spec) for at, spec in enumerate(network.inputs)),
            tuple(self._marked(("outputs", at), spec) for at, spec in enumerate(network.outputs)),
        )

    def _marked(self, path: Path, spec: ValueSpec) -> ValueSpec:
        free = []
        for axis in range(len(spec.shape)):
            size = self.sizes.get((*path, axis))
            if size is not None:
                free.append((axis, size.at(self.least), size.at(self.most)))
        return dataclasses.replace(spec, free=tuple(free))

    def points(self) -> tuple[int, ...]:
        """Return the lengths whose values decide every function."""
        return points(self.regular, self.most)

    def digest(self, network: Network) -> str:
        """Return the SHA-256 of the networks of all lengths.

        It is made of the digests at a few lengths, which decide the functions, and of the tables.
        """
        found = [self.concrete(network, length).digest for length in self.points()]
        tables = [
            [list(path[:2]), list(self.tables[path])] for path in sorted(self.tables, key=str)
        ]
        text = canonical.text([self.least, self.regular, self.most, found, tables])
        return hashlib.sha256(text.encode()).hexdigest()

    def concrete(self, network: N, length: int) -> N:
        """Return the network of one length, without any that is free."""
        at = _At(self, length)
        made = type(network)(
            network.target,
            [at.value(("inputs", index), spec) for index, spec in enumerate(network.inputs)],
            [at.value(("outputs", index), spec) for index, spec in enumerate(network.outputs)],
            [
                dataclasses.replace(step, attributes=at.tree(("steps", step.name), step.attributes))
                for step in network.steps
            ],
            [at.program(index, program) for index, program in enumerate(network.programs)],
            {name: at.window("host", name, held) for name, held in network.constants.items()},
            network.host_operators,
            network.model,
            network.structure,
            network.states,
        )
        made.warnings = network.warnings
        return made


def points(least: int, most: int) -> tuple[int, ...]:
    """Return the lengths at which functions are fitted: the ends, and up to two between."""
    third = least + (most - least) // 3
    return tuple(sorted({least, min(least + 1, most), third, most}))


def further(least: int, most: int) -> tuple[int, ...]:
    """Return the lengths at which what was fitted is verified."""
    found = {max(most - 1, least), least + 2 * (most - least) // 3}
    return tuple(sorted(found - set(points(least, most))))


@dataclass(frozen=True)
class _At:
    """Everything at one length."""

    lengths: Lengths
    length: int

    def value(self, path: Path, spec: ValueSpec) -> ValueSpec:
        return dataclasses.replace(spec, shape=self.shape(path, spec.shape), free=())

    def shape(self, path: Path, shape: tuple[int, ...]) -> tuple[int, ...]:
        sizes = self.lengths.sizes
        return tuple(
            sizes[(*path, axis)].at(self.length) if (*path, axis) in sizes else size
            for axis, size in enumerate(shape)
        )

    def tree(self, path: Path, value: Any) -> Any:
        """Return JSON with the integers of this length."""
        if path in self.lengths.tables:
            return self.lengths.tables[path][self.length - self.lengths.least]
        if path in self.lengths.sizes:
            return self.lengths.sizes[path].at(self.length)
        if isinstance(value, (list, tuple)):
            return [self.tree((*path, index), item) for index, item in enumerate(value)]
        if hasattr(value, "items"):
            return {key: self.tree((*path, key), item) for key, item in value.items()}
        return value

    def window(self, owner: str, name: str, held: Any) -> Any:
        windows = self.lengths.windows
        cut = tuple(
            slice(windows[owner, name, axis].at(self.length))
            if (owner, name, axis) in windows
            else slice(None)
            for axis in range(held.ndim)
        )
        return held if all(part == slice(None) for part in cut) else held[cut]

    def program(self, index: int, program: Program) -> Program:
        return dataclasses.replace(
            program,
            tensors={
                name: dataclasses.replace(
                    spec, shape=self.shape(("tensors", index, name), spec.shape)
                )
                for name, spec in program.tensors.items()
            },
            constants={
                name: self.window(str(index), name, held)
                for name, held in program.constants.items()
            },
            calls=tuple(
                dataclasses.replace(
                    call, attributes=self.tree(("calls", index, call.name), call.attributes)
                )
                for call in program.calls
            ),
        )

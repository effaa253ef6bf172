"""Two runs of one network, tensor by tensor: its integers apart from its floats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsim.errors import InputError
from qsim.mismatch.comparison import WIDTH, Mismatch, compare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.program import Array


@dataclass(frozen=True, slots=True)
class Tensor:
    """How one tensor differs.

    Attributes:
        name: its name in both runs.
        real: it holds float32 values; else codes or sums.
        elements: how many were compared.
        mismatch: the difference, None where every bit is equal.
    """

    name: str
    real: bool
    elements: int
    mismatch: Mismatch | None

    @property
    def differing(self) -> int:
        """How many elements differ; all where they cannot be compared one by one."""
        if self.mismatch is None:
            return 0
        return self.elements if self.mismatch.reason else self.mismatch.count

    @property
    def largest(self) -> int:
        """What no difference exceeds: the end of the histogram, in LSB, or in ULP of float32."""
        bins = () if self.mismatch is None else self.mismatch.histogram
        return max((max(abs(part.low), abs(part.high)) for part in bins), default=0)


@dataclass(frozen=True, slots=True)
class Apart:
    """The tensors that two runs have in common, in the order of the first run."""

    tensors: tuple[Tensor, ...]

    @property
    def integers(self) -> tuple[Tensor, ...]:
        """The tensors of codes and sums."""
        return tuple(tensor for tensor in self.tensors if not tensor.real)

    @property
    def floats(self) -> tuple[Tensor, ...]:
        """The tensors of float32 values."""
        return tuple(tensor for tensor in self.tensors if tensor.real)

    @property
    def first(self) -> Tensor | None:
        """The first tensor that differs: the others may follow from it."""
        return next((tensor for tensor in self.tensors if tensor.mismatch is not None), None)

    def lines(self) -> list[str]:
        """Return the difference as text: a line for each kind, then one for each tensor."""
        found = [_kind("integers", self.integers, "LSB"), _kind("floats", self.floats, "ULP")]
        if self.first is not None:
            found.append(f"first difference: {self.first.name}")
        found += [f"  {_told(t)}" for t in self.tensors if t.mismatch is not None]
        return [line[:WIDTH] for line in found]

    def __str__(self) -> str:
        return "\n".join(self.lines())


def apart(expected: Mapping[str, Array], actual: Mapping[str, Array]) -> Apart:
    """Compare the tensors that two runs of a network have in common, by their bits.

    Args:
        expected: arrays of integers or of float32 by name, as ``Trace.tensors``, in order.
        actual: those of the other run: a peer's, or another target's.

    Raises:
        InputError: they have no name in common, or an array holds something else.
    """
    names = [name for name in expected if name in actual]
    if not names:
        raise InputError("the runs have no tensor in common", accepted="one name in both, or more")
    return Apart(
        tuple(
            Tensor(
                name,
                expected[name].dtype.kind == "f",
                int(expected[name].size),
                compare(expected[name], actual[name]),
            )
            for name in names
        )
    )


def _kind(what: str, tensors: tuple[Tensor, ...], unit: str) -> str:
    wrong = [tensor for tensor in tensors if tensor.mismatch is not None]
    if not wrong:
        return f"{what}: {len(tensors):,} tensors, all equal"
    elements, differing = (
        sum(t.elements for t in tensors),
        sum(t.differing for t in wrong),
    )
    largest = max(tensor.largest for tensor in wrong)
    return (
        f"{what}: {len(wrong):,} of {len(tensors):,} tensors differ, in {differing:,} of "
        f"{elements:,} elements, by up to {largest:,} {unit}"
    )


def _told(tensor: Tensor) -> str:
    unit = "ULP" if tensor.real else "LSB"
    share = f"{tensor.differing:,} of {tensor.elements:,}, up to {tensor.largest:,} {unit}"
    reason = "" if tensor.mismatch is None else tensor.mismatch.reason.splitlines()[:1]
    return f"{tensor.name}: {reason[0] if reason else share}"

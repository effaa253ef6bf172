"""What a method of a ``.pte`` takes, and which of its inputs are cut into batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.errors import InputError
from qsim.executorch.pte import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.executorch.pte import Value
    from qsim.network import ValueSpec


@dataclass(frozen=True)
class Argument:
    """One input of a method.

    Attributes:
        position: among the inputs.
        value: what the program takes there.
        codes: the smallest and the largest code, where the file or a delegate says; else None.
        split: whether dimension 0 counts samples, so that a file is cut along it.
        fixed: of each dimension, whether it has the one size of the plan. An open shape is a bound
            in the file; which of its dimensions are open, only a delegate says.
    """

    position: int
    value: Value
    codes: tuple[int, int] | None
    split: bool
    fixed: tuple[bool, ...]

    @property
    def where(self) -> str:
        """How messages call it."""
        return f"input {self.position}"

    @property
    def tensor(self) -> TensorSpec | None:
        """Its TensorSpec; None where the program fixes a plain value."""
        return self.value if isinstance(self.value, TensorSpec) else None

    def dtype(self) -> np.dtype[Any]:
        """Return the NumPy type of a tensor.

        Raises:
            InputError: NumPy has none, so that no ``.npy`` file can hold it.
        """
        assert self.tensor is not None  # noqa: S101 - only tensors are read from files
        name = str(self.tensor.dtype).removeprefix("torch.")
        if name == "bfloat16":
            raise InputError(
                "the program takes bfloat16, which NumPy has not",
                where=self.where,
                accepted="qsim.executorch.load in Python, with torch tensors",
            )
        return np.dtype(name)

    def __str__(self) -> str:
        spec = self.tensor
        if spec is None:
            return f"{self.where}: {self.value!r}, as exported"
        sizes = [
            str(size) if fixed else f"up to {size}"
            for size, fixed in zip(spec.sizes, self.fixed, strict=True)
        ]
        if self.split:
            sizes[0] = "N" if spec.dynamic or spec.sizes[0] == 1 else f"{spec.sizes[0]}·N"
        return f"{self.where}: {str(spec.dtype).removeprefix('torch.')} ({', '.join(sizes)})"


def arguments(
    values: Sequence[Value],
    ranges: Sequence[tuple[int, int] | None],
    taken: Sequence[ValueSpec | None],
) -> list[Argument]:
    """Return a method's inputs, and which of them are cut into batches.

    A ``.pte`` does not say which dimension is the batch. Dimension 0 is taken for it: of the
    inputs with open shapes, if there are any, else of all, if they agree on its size. What is not
    cut goes whole into every call.

    Args:
        values: what the method takes.
        ranges: of codes, where the file states them.
        taken: what a delegate of ours says of the same value.
    """
    tensors = [value for value in values if isinstance(value, TensorSpec)]
    open_ones = [spec for spec in tensors if spec.dynamic and spec.sizes]
    candidates = open_ones or tensors
    same = len({spec.sizes[:1] for spec in candidates}) == 1 and bool(candidates[0].sizes)
    cut = {id(spec) for spec in candidates} if same and candidates[0].sizes[0] > 0 else set()
    return [
        _argument(position, value, known, spec, split=id(value) in cut)
        for position, (value, known, spec) in enumerate(zip(values, ranges, taken, strict=True))
    ]


def _argument(
    position: int,
    value: Value,
    codes: tuple[int, int] | None,
    taken: ValueSpec | None,
    *,
    split: bool,
) -> Argument:
    if not isinstance(value, TensorSpec):
        return Argument(position, value, None, split=False, fixed=())
    known = taken if taken is not None and len(taken.shape) == len(value.sizes) else None
    if codes is None and known is not None and known.format is not None and "int" in known.dtype:
        codes = (known.format.min, known.format.max)
    if not value.dynamic:
        return Argument(position, value, codes, split=split, fixed=(True,) * len(value.sizes))
    shape = (-1,) * len(value.sizes) if known is None else known.shape
    return Argument(position, value, codes, split, tuple(size != -1 for size in shape))


def bound(args: Sequence[Argument]) -> tuple[int, bool]:
    """Return how many samples a call takes at most, and whether it takes fewer too."""
    cut = [arg.tensor for arg in args if arg.split and arg.tensor is not None]
    return (cut[0].sizes[0], cut[0].dynamic) if cut else (1, False)

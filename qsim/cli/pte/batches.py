"""Samples of a ``.pte``, cut into its calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qsim.cli.pte.arguments import bound
from qsim.cli.pte.samples import count_of
from qsim.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.cli.inputs import Samples
    from qsim.cli.pte.arguments import Argument


def cut(samples: Samples, args: Sequence[Argument], asked: int | None) -> list[list[Any]]:
    """Return the arguments of each call, in order: torch tensors and the program's own values.

    Raises:
        InputError: the samples do not divide into the batches that the program takes.
        UsageError: it takes no batches of the size asked for.
    """
    import torch

    size, is_open = bound(args)
    count = count_of(samples, args) if any(arg.split for arg in args) else size
    step = _batch_size(size, asked, count, is_open=is_open)
    tensors = iter(torch.from_numpy(array) for array in samples.arrays)
    values: list[Any] = [next(tensors) if arg.tensor is not None else arg.value for arg in args]
    return [
        [
            value[start : start + step] if arg.split else value
            for value, arg in zip(values, args, strict=True)
        ]
        for start in range(0, count, step)
    ]


def _batch_size(size: int, asked: int | None, count: int, *, is_open: bool) -> int:
    if is_open:
        if asked is not None and asked > size:
            raise UsageError(
                f"the program takes batches of up to {size}, not {asked}",
                where="--batch",
                accepted=f"1..{size}",
            )
        return asked or size
    if asked is not None and asked != size:
        raise UsageError(
            f"the program takes batches of {size} only, not {asked}",
            where="--batch",
            accepted=f"{size}, or a program made with another batch (`qsim compile`)",
        )
    if count % size:
        raise InputError(
            f"the program takes batches of {size} only, and {count} samples do not divide into "
            "them",
            accepted=f"a multiple of {size} samples",
        )
    return size

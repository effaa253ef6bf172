"""Runs the bytes of a delegate: what ``QsimBackend`` made, on the hardware models."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import FileFormatError, InputError, MissingToolError, QsimError
from qsim.executorch.delegates.specs import decode
from qsim.network import from_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import torch

    from qsim.network import Lowered, ValueSpec

    Watch = Callable[[Lowered, list[torch.Tensor]], Any]

_WHERE: Final = "qsim delegate"
_WATCH: ContextVar[Watch | None] = ContextVar("qsim_delegate_watch", default=None)


def run_blob(
    blob: bytes, inputs: Sequence[Any], compile_specs: Mapping[str, bytes] | None = None
) -> list[torch.Tensor]:
    """Run a delegate.

    Args:
        blob: its bytes. What they hold is kept, so that running them again costs no reading.
        inputs: tensors in the delegate's order; sizes among them are skipped.
        compile_specs: the delegate's; None to run the bytes whatever target they were made for.

    Returns:
        New tensors, in the delegate's order.

    Raises:
        FileFormatError: as ``open_blob``.
        InputError: wrong count, dtype, shape or values.
    """
    network = open_blob(blob, compile_specs)
    tensors = [value for value in inputs if not isinstance(value, int)]
    if len(tensors) != len(network.inputs):
        raise InputError(
            f"{len(tensors)} tensors were given", where=_WHERE, accepted=str(len(network.inputs))
        )
    coded = [_to_spec(*pair) for pair in zip(tensors, network.inputs, strict=True)]
    watch = _WATCH.get()
    results = network(*coded) if watch is None else watch(network, coded)
    several = results if isinstance(results, tuple) else (results,)
    return [_to_container(*pair) for pair in zip(several, network.outputs, strict=True)]


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Let a function run the networks of delegates while the block lasts, in this context alone.

    Args:
        watch: called as ``watch(network, inputs)`` in place of ``network(*inputs)``; returns the
            outputs as tensors, one or a tuple.
    """
    token = _WATCH.set(watch)
    try:
        yield
    finally:
        _WATCH.reset(token)


def watching() -> bool:
    """Return whether a function watches the delegates of this context."""
    return _WATCH.get() is not None


def open_blob(blob: bytes, compile_specs: Mapping[str, bytes] | None = None) -> Lowered:
    """Return the network of a delegate's bytes.

    Raises:
        FileFormatError: the bytes are damaged, of another version, need torch, or are made for
            another target than the compile specs state; or these are not a qsim delegate's.
    """
    network, made_for = _opened(blob)
    if compile_specs is not None:
        stated = _stated(tuple(compile_specs.items()))
        if stated != made_for:
            raise FileFormatError(
                f"made for target {network.target.name} ({network.target.short_hash}), its compile "
                f"specs state {stated[:23]}",
                where=_WHERE,
                accepted="one target",
            )
    return network


@lru_cache(maxsize=64)
def _opened(blob: bytes) -> tuple[Lowered, str]:
    """Return the network, and its target's hash, which costs as much as a small layer."""
    try:
        network = from_bytes(blob)
    except MissingToolError:
        raise
    except QsimError as error:
        where = f"{_WHERE}: {error.where}" if error.where else _WHERE
        raise FileFormatError(error.message, where=where, accepted=error.accepted) from None
    for step in network.steps:
        if step.kind == "torch":
            raise FileFormatError(
                f"{step.name} runs in torch", where=_WHERE, accepted="integer primitives alone"
            )
    return network, network.target.hash


@lru_cache(maxsize=64)
def _stated(specs: tuple[tuple[str, bytes], ...]) -> str:
    return decode(dict(specs)).hash


def _to_spec(value: torch.Tensor, spec: ValueSpec) -> torch.Tensor:
    """Return codes in the container of the spec: PT2E keeps unsigned 9 to 31 bits in int32."""
    import torch

    if spec.format is None or spec.dtype == "int32" or value.dtype != torch.int32:
        return value
    low, high = (int(end) for end in torch.aminmax(value)) if value.numel() else (0, 0)
    if low < spec.format.min or high > spec.format.max:
        raise InputError(
            f"codes {low}..{high} are outside the format",
            where=f"{_WHERE}: input {spec.name!r}",
            accepted=f"{spec.format.min}..{spec.format.max}",
        )
    return value.to(getattr(torch, spec.dtype))


def _to_container(value: torch.Tensor, spec: ValueSpec) -> torch.Tensor:
    return value.to(container_of(spec))


def container_of(spec: ValueSpec) -> torch.dtype:
    """Return the type in which a delegate takes and returns a value."""
    import torch

    found: torch.dtype = getattr(torch, spec.dtype)
    return torch.int32 if spec.dtype in ("uint16", "uint32") else found

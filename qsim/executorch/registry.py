"""Python models of delegates: which function computes what a backend's bytes stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError, QsimError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch

    Model = Callable[[bytes, Sequence[Any], Mapping[str, bytes]], Any]
    Count = Callable[[bytes], int]

OURS: Final = "QsimBackend"
_MODELS: dict[str, tuple[Model, Count | None]] = {}


def register(backend_id: str, model: Model | None, *, outputs: Count | None = None) -> None:
    """Let a Python function compute the delegates of a backend, in every program loaded later.

    Args:
        backend_id: the name in the file, as ``TOSABackend`` or ``XnnpackBackend``.
        model: called as ``model(blob, inputs, compile_specs)`` for every call of a delegate. blob
            is what the backend's ``preprocess`` returned; inputs a list of torch tensors (and
            numbers), which it must not change; compile_specs a mapping of names to bytes. It
            returns the outputs: a tensor or an array, or a sequence of them, of the types and
            shapes that the program has. None takes the backend's model away.
        outputs: how many outputs the delegate of a blob has. A ``.pte`` does not say where a
            delegate's inputs end; without this function, everything after the last tensor that
            was made before is taken for an output, which fails where a reshaped tensor, not yet
            used elsewhere, is its last input but not its first.

    Raises:
        UsageError: the name is no text or is qsim's own, or the model cannot be called.
    """
    if not isinstance(backend_id, str) or not backend_id or backend_id == OURS:
        raise UsageError(
            f"{backend_id!r} cannot be registered", accepted=f"a backend's name, not {OURS!r}"
        )
    if model is None:
        _MODELS.pop(backend_id, None)
    elif callable(model):
        _MODELS[backend_id] = (model, outputs)
    else:
        raise UsageError(
            f"the model of {backend_id} is a {type(model).__name__}",
            accepted="a function (blob, inputs, compile_specs) -> outputs",
        )


def model_of(backend_id: str) -> tuple[Model, Count | None]:
    """Return the model of a backend, and what counts the outputs of its delegates.

    Raises:
        ModelError: there is none; says how to register one.
    """
    if backend_id == OURS:
        return _ours, _our_outputs
    found = _MODELS.get(backend_id)
    if found is None:
        known = ", ".join(sorted((OURS, *_MODELS)))
        raise ModelError(
            f"a part of it is for backend {backend_id[:80]!r}, which has no Python model",
            accepted=f"{known}, or qsim.executorch.register({backend_id[:80]!r}, model) first",
        )
    return found


def check(backend_id: str, blob: bytes, compile_specs: Mapping[str, bytes]) -> None:
    """Refuse, before anything runs, a delegate of ours that cannot run.

    Raises:
        FileFormatError: it is damaged, of another version or of another target.
    """
    if backend_id == OURS:
        from qsim.executorch.edge.delegate import open_blob

        open_blob(blob, compile_specs)


@dataclass(frozen=True, slots=True)
class Expected:
    """An output that a program expects of a delegate.

    Attributes:
        name: what it is in the program.
        dtype: element type.
        sizes: the shape; None for a size that is known at run time only.
    """

    name: str
    dtype: torch.dtype
    sizes: tuple[int | None, ...]

    def __str__(self) -> str:
        shape = ", ".join("any" if size is None else str(size) for size in self.sizes)
        return f"{str(self.dtype).removeprefix('torch.')} [{shape}]"


def call(model: Callable[[], Any], expected: Sequence[Expected], where: str) -> list[torch.Tensor]:
    """Return the outputs of a delegate's model, as many and of the types that the program expects.

    Args:
        model: computes them: a tensor or an array, or a sequence of these.
        expected: what the program expects.
        where: the delegate, for messages.

    Raises:
        ModelError: the model failed with an exception of its own, or returned something else.
    """
    try:
        made = model()
    except QsimError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        raise ModelError(
            f"{where}: its model failed with {type(error).__name__}: {text}"
        ) from error
    results = made if isinstance(made, (tuple, list)) else [made]
    if len(results) != len(expected):
        raise ModelError(f"{where} returned {len(results)} outputs", accepted=str(len(expected)))
    return [_checked(*pair, where) for pair in zip(results, expected, strict=True)]


def _checked(result: Any, expected: Expected, where: str) -> torch.Tensor:
    import numpy as np
    import torch

    if isinstance(result, torch.Tensor):
        tensor = result.detach()
    else:
        try:
            tensor = torch.from_numpy(np.ascontiguousarray(result).reshape(np.shape(result)))
        except (TypeError, ValueError):
            raise ModelError(
                f"{where} returned a {type(result).__name__}", accepted="a tensor or an array"
            ) from None
    sizes = tuple(tensor.shape)
    fits = len(sizes) == len(expected.sizes) and all(
        wanted in (None, size) for size, wanted in zip(sizes, expected.sizes, strict=True)
    )
    if tensor.dtype != expected.dtype or not fits:
        from qsim.executorch.inputs import shown

        raise ModelError(
            f"{where} made {shown(tensor)} for {expected.name}", accepted=str(expected)
        )
    return tensor


def _ours(blob: bytes, inputs: Sequence[Any], compile_specs: Mapping[str, bytes]) -> Any:
    from qsim.executorch.edge.delegate import run_blob

    return run_blob(blob, inputs, compile_specs)


def _our_outputs(blob: bytes) -> int:
    from qsim.executorch.edge.delegate import open_blob

    return len(open_blob(blob).outputs)

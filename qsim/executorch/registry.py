"""The Python models of other backends' delegates, by the name of the backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
    """Return the registered model of a backend, and what counts the outputs of its delegates.

    Raises:
        ModelError: there is none; says how to register one.
    """
    found = _MODELS.get(backend_id)
    if found is None:
        known = ", ".join(sorted((OURS, *_MODELS)))
        raise ModelError(
            f"a part of it is for backend {backend_id[:80]!r}, which has no Python model",
            accepted=f"{known}, or qsim.executorch.register({backend_id[:80]!r}, model) first",
        )
    return found

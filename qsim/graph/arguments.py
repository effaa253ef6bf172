"""What a model is called with: tensors by position, or by name, nested, among plain values.

Within qsim a network takes tensors by position. Example inputs that say more (a dict of keyword
arguments, dicts and lists of tensors, None, flags) are flattened: each tensor is an input, all else
is fixed at what the example says. A module that takes the tensors by position stands for the model.
"""

from __future__ import annotations

import copy
import functools
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from qsim.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    Path: TypeAlias = tuple[Any, ...]

Batch: TypeAlias = "torch.Tensor | Sequence[Any] | Mapping[str, Any]"
_ACCEPTED: Final = "a tuple of tensors, not empty, or a dict of keyword arguments"
_FIXED: Final = (bool, int, float, str, type(None))


@dataclass(frozen=True)
class Arguments:
    """The example inputs of a model.

    Attributes:
        tensors: detached, on the CPU, in the order of the network's inputs.
        names: one for each; None where all are given by position.
        leaves: where each tensor, and each value that is fixed, stands.
        spec: how they are nested (a ``TreeSpec`` of ``(args, kwargs)``).
    """

    tensors: tuple[torch.Tensor, ...]
    names: tuple[str, ...] | None
    leaves: Mapping[Path, Any]
    spec: Any

    def flat(self, values: Batch, where: str) -> tuple[torch.Tensor, ...]:
        """Return the tensors of another call, in the order of the inputs.

        Raises:
            UsageError: it names or nests other inputs than the example.
            InputError: a tensor is empty, or holds NaN or infinity.
        """
        if self.names is None:
            return _tensors(values, where)
        given, _ = _leaves(values, where)
        wanted = [path for path, value in self.leaves.items() if _is_tensor(value)]
        shown = ", ".join(self.names)
        for path, value in given.items():
            if path not in self.leaves:
                raise UsageError(
                    f"has {_text(path)}, which no input is", where=where, accepted=shown
                )
            if not _is_tensor(self.leaves[path]) and value != self.leaves[path]:
                raise UsageError(
                    f"has {_text(path)} = {value!r:.80}",
                    where=where,
                    accepted=f"{self.leaves[path]!r}, as in the example inputs",
                )
        for path, name in zip(wanted, self.names, strict=True):
            if not _is_tensor(given.get(path)):
                raise UsageError(f"lacks {name}", where=where, accepted=shown)
        return tuple(
            _checked(given[path], f"{where}.{name}")
            for path, name in zip(wanted, self.names, strict=True)
        )

    def positional(self, model: torch.nn.Module) -> torch.nn.Module:
        """Return the model, or what stands for it and takes the tensors by position."""
        if self.names is None:
            return model
        # A shallow copy: submodules and parameters are the model's own, by the same paths.
        stands = copy.copy(model)
        call = model.__dict__.get("forward") or functools.partial(type(model).forward, stands)

        def forward(*tensors: torch.Tensor) -> Any:
            args, kwargs = self._nested(tensors)
            return call(*args, **kwargs)

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(name, kind) for name in self.names]
        forward.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        stands.forward = forward
        return stands

    def _nested(self, tensors: Sequence[torch.Tensor]) -> Any:
        from torch.utils import _pytree

        given = iter(tensors)
        values = [next(given) if _is_tensor(value) else value for value in self.leaves.values()]
        return _pytree.tree_unflatten(values, self.spec)


def arguments_of(model: object, example_inputs: Batch) -> Arguments:
    """Return the example inputs of a model.

    Args:
        model: what is called; its signature names inputs that are nested in a positional argument.
        example_inputs: a tensor or a tuple of them, by position; a dict, by name. Positions and
            names may hold dicts, lists and tuples of tensors, and None, numbers, bools and text,
            which are fixed.

    Raises:
        UsageError: there is no tensor, or something that is neither tensor nor plain value.
        InputError: a tensor is empty, or holds NaN or infinity.
    """
    where = "example_inputs"
    if _is_tensor(example_inputs) or (
        isinstance(example_inputs, (tuple, list)) and all(map(_is_tensor, example_inputs))
    ):
        return Arguments(_tensors(example_inputs, where), None, {}, None)
    leaves, spec = _leaves(example_inputs, where)
    for path, value in leaves.items():
        if not isinstance(value, _FIXED) and not _is_tensor(value):
            raise UsageError(
                f"{_text(path)} is a {type(value).__name__}",
                where=where,
                accepted="tensors; None, numbers, bools and text, which are fixed",
            )
    held = {path: value for path, value in leaves.items() if _is_tensor(value)}
    if not held:
        raise UsageError("holds no tensor", where=where, accepted=_ACCEPTED)
    names = _names(model, list(held))
    tensors = tuple(
        _checked(value, f"{where}.{name}") for value, name in zip(held.values(), names, strict=True)
    )
    return Arguments(tensors, names, leaves, spec)


def _leaves(values: object, where: str) -> tuple[dict[Path, Any], Any]:
    """Return what stands where in a call, and how it is nested."""
    from torch.utils import _pytree

    if isinstance(values, Mapping):
        call: Any = ((), dict(values))
    elif isinstance(values, (tuple, list)) and values:
        call = (tuple(values), {})
    else:
        raise UsageError(f"is a {type(values).__name__}", where=where, accepted=_ACCEPTED)
    found, spec = _pytree.tree_flatten_with_path(call)
    return {tuple(map(_key, path)): value for path, value in found}, spec


def _key(entry: Any) -> Any:
    return next(
        (getattr(entry, name) for name in ("idx", "key", "name") if hasattr(entry, name)),
        str(entry),
    )


def _text(path: Path) -> str:
    """Return how a person would write a place: ``input_ids``, ``[0]['image']``."""
    first, *rest = path[1:]
    start = f"[{first}]" if path[0] == 0 else str(first)
    return start + "".join(f"[{key!r}]" for key in rest)


def _names(model: object, paths: list[Path]) -> tuple[str, ...]:
    """Return a name for each tensor: of its parameter, and of its place in it where nested."""
    forward = getattr(model, "forward", None)
    known = list(inspect.signature(forward).parameters) if callable(forward) else []
    names: list[str] = []
    for _, first, *rest in paths:
        own = known[first] if isinstance(first, int) and first < len(known) else first
        word = "_".join(re.sub(r"\W", "_", str(part)) for part in (own, *rest))
        word = word if word.isidentifier() else f"input_{word}"
        while word in names:
            word += "_"
        names.append(word)
    return tuple(names)


def _is_tensor(value: object) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _tensors(values: object, where: str) -> tuple[torch.Tensor, ...]:
    if _is_tensor(values):
        values = (values,)
    if not isinstance(values, (tuple, list)) or not values:
        raise UsageError(f"is a {type(values).__name__}", where=where, accepted=_ACCEPTED)
    return tuple(_checked(value, f"{where}[{index}]") for index, value in enumerate(values))


def _checked(value: Any, where: str) -> torch.Tensor:
    import torch

    if not isinstance(value, torch.Tensor):
        raise UsageError(f"is a {type(value).__name__}", where=where, accepted="a torch.Tensor")
    if value.numel() == 0:
        raise InputError(f"has shape {tuple(value.shape)}", where=where, accepted="1 or more")
    _require_type(value, where)
    if value.is_floating_point() and not bool(torch.isfinite(value).all()):
        raise InputError("holds a NaN or an infinity", where=where, accepted="finite values")
    return value.detach().cpu()


def _require_type(value: torch.Tensor, where: str) -> None:
    """Refuse what no array of a network holds."""
    dtype = str(value.dtype).removeprefix("torch.")
    accepted = "float32 (call .float() on the model and its inputs), float16, integers, bool"
    if value.is_complex():
        raise InputError(f"it is {dtype}", where=where, accepted=accepted)
    try:
        value.detach().cpu().numpy()
    except TypeError:
        raise InputError(
            f"it is {dtype}, for which NumPy has no type", where=where, accepted=accepted
        ) from None

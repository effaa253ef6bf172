"""How the outputs of a network are nested: tuples, lists and dicts, as the model returns them.

A structure is JSON: an integer is the output of that index, ``{"tuple": [...]}`` and
``{"list": [...]}`` hold items in order, ``{"dict": [[key, item], ...]}`` entries in order. The
indices count up from 0, so that a structure is read off in the order of the outputs. A named tuple
comes back as a tuple.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError
from qsim.program import MAX_DEPTH, Json, is_int

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS: Final = ("tuple", "list", "dict")
_ACCEPTED: Final = "tensors in tuples, lists and dicts with text keys"


def plain(count: int) -> Json:
    """Return the structure of one bare output, or of a tuple of several."""
    return 0 if count == 1 else {"tuple": list(range(count))}


def check_structure(structure: Any, count: int) -> None:
    """Require a structure of exactly ``count`` outputs, in order.

    Raises:
        ModelError: it is malformed, or does not use every output once.
    """
    found = _leaves(structure, 0)
    if found != list(range(count)):
        raise ModelError.of(
            "structure must use every output once, in order", found, f"0..{count - 1}"
        )


def _leaves(structure: Any, depth: int) -> list[int]:
    if depth > MAX_DEPTH:
        raise ModelError("structure is nested too deeply", accepted=f"{MAX_DEPTH} levels")
    if is_int(structure):
        return [int(structure)]
    if not isinstance(structure, dict) or len(structure) != 1:
        raise ModelError.of(
            "structure must be an index or a collection", structure, ", ".join(KINDS)
        )
    ((kind, items),) = structure.items()
    if kind not in KINDS or not isinstance(items, list):
        raise ModelError.of("structure must be a known collection", kind, ", ".join(KINDS))
    if kind == "dict":
        keys = [item[0] if isinstance(item, list) and len(item) == 2 else None for item in items]
        if not all(isinstance(key, str) for key in keys) or len(set(keys)) != len(keys):
            raise ModelError.of(
                "structure's dict must have text keys, each once", keys, "[[key, item], ...]"
            )
        items = [item[1] for item in items]
    return [leaf for item in items for leaf in _leaves(item, depth + 1)]


def build(structure: Any, values: Sequence[Any]) -> Any:
    """Nest the outputs; the structure must have been checked."""
    if not isinstance(structure, dict):
        return values[structure]
    ((kind, items),) = structure.items()
    if kind == "dict":
        return {key: build(item, values) for key, item in items}
    nested = [build(item, values) for item in items]
    match kind:
        case "tuple":
            return tuple(nested)
        case "list":
            return nested
        case _:
            raise ModelError.of("structure must be a known collection", kind, ", ".join(KINDS))


def from_treespec(spec: Any) -> Json:
    """Return the structure of a ``torch.utils._pytree.TreeSpec``.

    Raises:
        ModelError: it holds something other than tuples, lists and dicts.
    """
    return _convert(spec, iter(range(spec.num_leaves)))


def _sequence(kind: Any) -> str | None:
    if kind is list:
        return "list"
    named = kind is collections.namedtuple  # noqa: PYI024 - what pytree calls named tuples
    return "tuple" if named or (isinstance(kind, type) and issubclass(kind, tuple)) else None


def _convert(spec: Any, leaves: Any) -> Json:
    if spec.is_leaf():
        return int(next(leaves))
    kind = _sequence(spec.type)
    if kind is not None:
        return {kind: [_convert(child, leaves) for child in spec.children()]}
    keys = spec.context if spec.type is dict else [None]
    if not all(isinstance(key, str) for key in keys):
        name = getattr(spec.type, "__name__", str(spec.type))
        what = name if spec.type is not dict else "dict whose keys are not text"
        raise ModelError(f"the model returns a {what}", accepted=_ACCEPTED)
    children = zip(keys, spec.children(), strict=True)
    return {"dict": [[key, _convert(child, leaves)] for key, child in children]}

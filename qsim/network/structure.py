"""How the outputs of a network are nested: tuples, lists and dicts, as the model returns them.

A structure is JSON: an integer is the output of that index, ``null`` is None, ``{"tuple": [...]}``
and ``{"list": [...]}`` hold items in order, ``{"dict": [[key, item], ...]}`` entries in order. An
``OrderedDict`` is a ``"dict"``, which keeps its order too. A dataclass, as transformers' models
return, is ``{"fields": [[name, item], ...]}``: its class is the model's, so it comes back as
``Fields``. The indices count up from 0, so that a structure is read off in the order of the
outputs. A named tuple comes back as a tuple.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError
from qsim.program import MAX_DEPTH, Json, is_int

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

KINDS: Final = ("tuple", "list", "dict", "fields")
_NAMED: Final = ("dict", "fields")
_ACCEPTED: Final = "tensors and None in tuples, lists, dicts with text keys and dataclasses"


class Fields(dict[str, Any]):
    """What a model returned as a dataclass: a dict in its order, read by attribute as well."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the model returned no {name!r}, but {', '.join(self)}") from None


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
    if structure is None:
        return []
    if is_int(structure):
        return [int(structure)]
    if not isinstance(structure, dict) or len(structure) != 1:
        raise ModelError.of(
            "structure must be an index or a collection", structure, ", ".join(KINDS)
        )
    ((kind, items),) = structure.items()
    if kind not in KINDS or not isinstance(items, list):
        raise ModelError.of("structure must be a known collection", kind, ", ".join(KINDS))
    if kind in _NAMED:
        keys = [item[0] if isinstance(item, list) and len(item) == 2 else None for item in items]
        if not all(isinstance(key, str) for key in keys) or len(set(keys)) != len(keys):
            raise ModelError.of(
                f"structure's {kind} must have text keys, each once", keys, "[[key, item], ...]"
            )
        items = [item[1] for item in items]
    return [leaf for item in items for leaf in _leaves(item, depth + 1)]


def build(structure: Any, values: Sequence[Any]) -> Any:
    """Nest the outputs; the structure must have been checked."""
    if structure is None:
        return None
    if not isinstance(structure, dict):
        return values[structure]
    ((kind, items),) = structure.items()
    if kind in _NAMED:
        entries = {key: build(item, values) for key, item in items}
        return Fields(entries) if kind == "fields" else entries
    nested = [build(item, values) for item in items]
    match kind:
        case "tuple":
            return tuple(nested)
        case "list":
            return nested
        case _:
            raise ModelError.of("structure must be a known collection", kind, ", ".join(KINDS))


def from_treespec(spec: Any, returned: Iterable[object]) -> Json:
    """Return the structure of a ``torch.utils._pytree.TreeSpec``.

    Args:
        spec: how the model nests what it returns.
        returned: for each leaf of it what the graph returns there, None where the model does.

    Raises:
        ModelError: it holds something other than tuples, lists, dicts and dataclasses.
    """
    count = iter(range(spec.num_leaves))
    return _convert(spec, iter([None if each is None else next(count) for each in returned]))


def _sequence(kind: Any) -> str | None:
    if kind is list:
        return "list"
    named = kind is collections.namedtuple  # noqa: PYI024 - what pytree calls named tuples
    return "tuple" if named or (isinstance(kind, type) and issubclass(kind, tuple)) else None


def _convert(spec: Any, leaves: Iterator[int | None]) -> Json:
    if spec.is_leaf():
        return next(leaves)
    kind = _sequence(spec.type)
    if kind is not None:
        return {kind: [_convert(child, leaves) for child in spec.children()]}
    kind, keys, absent = _entries(spec)
    if not all(isinstance(key, str) for key in keys):
        name = getattr(spec.type, "__name__", str(spec.type))
        what = name if kind != "dict" else "dict whose keys are not text"
        raise ModelError(f"the model returns a {what}", accepted=_ACCEPTED)
    children = zip(keys, spec.children(), strict=True)
    entries: list[Json] = [[key, _convert(child, leaves)] for key, child in children]
    entries += [[key, None] for key in absent]
    return {kind: entries}


def _entries(spec: Any) -> tuple[str, Sequence[Any], Sequence[str]]:
    """Return the kind of a collection with names, their names, and names of fields that are None.

    torch keeps a dataclass's names in two lists, those of fields that are None in the second;
    transformers keeps the keys of its own.
    """
    kind, context = spec.type, spec.context
    if kind in (dict, collections.OrderedDict):
        return "dict", context, ()
    if kind is collections.defaultdict:
        return "dict", context[1], ()
    if dataclasses.is_dataclass(kind) and isinstance(context, (list, tuple)):
        halves = len(context) == 2 and all(isinstance(half, (list, tuple)) for half in context)
        given, absent = context if halves else (context, ())
        return "fields", given, absent
    return "fields", [None], ()

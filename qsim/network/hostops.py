"""Host operators: what the target does not have, run by torch and named in files.

A file may name only those operators of ``aten`` and ``quantized_decomposed`` that ``operators``
lists, which compute the same values from the same tensors every time: nothing that it says can
open, import or execute anything. What they make is bounded before they run (``limits``). Arguments
are a JSON tree:

| JSON                          | argument                                          |
|-------------------------------|---------------------------------------------------|
| ``{"tensor": name}``          | the value that another step or an input made      |
| ``{"constant": name}``        | an array of the file                              |
| number, bool, null, text, list| itself                                            |
| ``{"float": "-inf"}``         | a float that JSON lacks: inf, -inf, nan           |
| ``{"dtype": "float32"}``      | ``torch.float32``                                 |
| ``{"memory_format": ...}``, ``{"layout": ...}``, ``{"device": "cpu"}`` | as named         |

Besides: ``getitem`` takes one result of an operator that has several, and ``scalar.add``, ``sub``,
``mul``, ``floordiv``, ``mod``, ``max``, ``min`` do arithmetic of sizes, in 64 bits. An operator
that reads no tensor (``arange``, ``zeros``) reads a size: what reads neither is a constant.
"""

from __future__ import annotations

import difflib
import functools
import math
import operator
import re
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import MissingToolError, ModelError
from qsim.network.hazards import require_survivable
from qsim.network.limits import MAX_INTEGER, bind, require_small
from qsim.network.operators import ALLOWED, require_deterministic
from qsim.program import INT64, MAX_DEPTH, Array, Json, check_keys, is_int, to_tensor
from qsim.torch_threads import require_one_when_forked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

NAMESPACES: Final = ("aten", "quantized_decomposed")
DTYPES: Final = frozenset(
    {"bool", "bfloat16", "float16", "float32", "float64"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)
_TAGGED: Final[Mapping[str, frozenset[str]]] = {
    "dtype": DTYPES,
    "memory_format": frozenset({"contiguous_format", "preserve_format", "channels_last"}),
    "layout": frozenset({"strided"}),
    "device": frozenset({"cpu"}),
    "float": frozenset({"inf", "-inf", "nan"}),
}
# The size of a dimension: it reads no element, so codes do as well as real numbers.
SIZE: Final = "aten.sym_size.int"
_SCALAR: Final[Mapping[str, Callable[[int, int], int]]] = {
    "scalar.add": operator.add,
    "scalar.floordiv": operator.floordiv,
    "scalar.max": max,
    "scalar.min": min,
    "scalar.mod": operator.mod,
    "scalar.mul": operator.mul,
    "scalar.sub": operator.sub,
}
_PART: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def encode_torch_step(
    target: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    reference: Callable[[Any], str | Mapping[str, str]],
) -> dict[str, Json]:
    """Return the attributes of a ``torch`` step for a ``call_function`` node.

    Args:
        target: what the node calls.
        args: its arguments; ``torch.fx.Node`` wherever a value is meant.
        kwargs: the same, by name.
        reference: gives the JSON of a node: its value's name, ``{"tensor": name}``, or
            ``{"constant": name}``.

    Raises:
        ModelError: an operator or argument that a file may not hold.
    """
    name = operator_name(target)
    attributes: dict[str, Json] = {
        "operator": name,
        "args": [_encode(item, reference) for item in args],
        "kwargs": {key: _encode(item, reference) for key, item in kwargs.items()},
    }
    check_torch_step(attributes)
    return attributes


def operator_name(target: Any) -> str:
    """Return the name under which a file knows an fx target, such as ``aten.softmax.int``."""
    if target is operator.getitem:
        return "getitem"
    for name, function in _SCALAR.items():
        if target is function:
            return name
    if getattr(target, "__name__", "") in ("sym_max", "sym_min"):  # torch's, of sizes
        return f"scalar.{target.__name__.removeprefix('sym_')}"
    name = str(target)
    if getattr(target, "namespace", None) not in NAMESPACES:
        raise ModelError.of(
            "a host operator must be an operator of torch", name, ", ".join(NAMESPACES)
        )
    return name


def _encode(value: Any, reference: Callable[[Any], str | Mapping[str, str]]) -> Json:
    if value is None or isinstance(value, (bool, str)) or is_int(value):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, (list, tuple)):
        return [_encode(item, reference) for item in value]
    tag = type(value).__name__
    if tag == "Node":
        named = reference(value)
        return {"tensor": named} if isinstance(named, str) else {**named}
    if tag == "device":
        return {"device": str(value)}
    if tag in _TAGGED:
        return {tag: str(value).removeprefix("torch.")}
    raise ModelError.of(
        "an argument of a host operator must be data", value, "tensors, numbers, lists"
    )


def computes(name: str) -> bool:
    """Return whether an operator computes on tensors: not a size, nor one of several results."""
    return name not in _SCALAR and name not in ("getitem", SIZE)


def references(attributes: Mapping[str, Any], kind: str = "tensor") -> tuple[str, ...]:
    """Return the names of the values (or constants) that a step's arguments use, each once."""
    tree = [attributes.get("args"), attributes.get("kwargs")]
    return tuple(dict.fromkeys(name for tag, name in _tags(tree) if tag == kind))


def _tags(tree: Any) -> Iterator[tuple[str, str]]:
    if isinstance(tree, list):
        for item in tree:
            yield from _tags(item)
    elif isinstance(tree, dict):
        for key, item in tree.items():
            if key in ("tensor", "constant") and isinstance(item, str):
                yield key, item
            else:
                yield from _tags(item)


def _integers(tree: Any) -> Iterator[int]:
    if isinstance(tree, (list, dict)):
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from _integers(item)
    elif is_int(tree):
        yield tree


def check_torch_step(attributes: Mapping[str, Any]) -> None:
    """Check a step's name and arguments; the operator itself is looked up without running it.

    Raises:
        ModelError: unknown or forbidden operator, malformed arguments, no tensor among them.
        MissingToolError: torch is not installed.
    """
    check_keys(attributes, ("operator", "args", "kwargs"))
    args, kwargs = attributes["args"], attributes["kwargs"]
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise ModelError.of(
            "a host operator takes args and kwargs", type(args).__name__, "list, object"
        )
    for item in (*args, *kwargs.values()):
        _check_argument(item, 0)
    if not all(isinstance(key, str) and _PART.fullmatch(key) for key in kwargs):
        raise ModelError.of("kwargs must be named by identifiers", sorted(kwargs), "identifiers")
    name = attributes["operator"]
    operands = [*references(attributes), *references(attributes, "constant")]
    if name == "getitem":
        if len(args) != 2 or kwargs or not operands or not is_int(args[1]):
            raise ModelError.of("getitem takes a value and a position", args, "[value, integer]")
    elif isinstance(name, str) and name in _SCALAR:
        if len(args) != 2 or kwargs or not operands:
            raise ModelError.of(f"{name} takes two sizes", args, "two, one of them a value")
    else:
        if not isinstance(name, str):
            raise ModelError.of("a host operator must be named", name, "a name")
        operator = resolve_operator(name)
        require_deterministic(name, bind(operator, args, kwargs))
        if INT64 - 1 in _integers([args, kwargs]) and not name.startswith("aten.slice"):
            raise ModelError.of("only a slice may end at 2**63-1", name, "integers of 32 bits")
        if not operands:
            raise ModelError.of(
                "a host operator must take a tensor or a size", name, "one or more of them"
            )


def _check_argument(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ModelError("arguments are nested too deeply", accepted=f"{MAX_DEPTH} levels")
    if isinstance(value, list):
        for item in value:
            _check_argument(item, depth + 1)
    elif isinstance(value, dict):
        if len(value) != 1:
            raise ModelError.of(
                "a tagged argument must have one key", sorted(value), ", ".join(_TAGGED)
            )
        ((tag, name),) = value.items()
        known = _TAGGED.get(tag)
        if not isinstance(name, str) or not (tag in ("tensor", "constant") or known is not None):
            raise ModelError.of("an argument's tag must be known", tag, ", ".join(_TAGGED))
        if known is not None and name not in known:
            raise ModelError.of(f"{tag} must be one of its names", name, ", ".join(sorted(known)))
    elif is_int(value) and abs(value) > MAX_INTEGER and value != INT64 - 1:
        raise ModelError.of(
            "an integer must fit 32 bits", value, "-2**31..2**31, or 2**63-1 as slice's end"
        )


@functools.lru_cache(maxsize=1024)
def resolve_operator(name: str) -> Any:
    """Return the torch operator ``namespace.operator.overload``, if a file may name it.

    Raises:
        ModelError: it is not one of ``operators.ALLOWED``.
        MissingToolError: torch is not installed.
    """
    if name not in ALLOWED:
        raise ModelError.of(
            "a host operator must be one that exported graphs contain, and deterministic",
            name,
            _alike(name),
        )
    torch = _torch()
    namespace, operator, overload = name.split(".")
    packet = getattr(getattr(torch.ops, namespace), operator, None)
    found = getattr(packet, overload, None)
    if found is None:
        raise ModelError(f"torch {torch.__version__} has no host operator {name}")
    return found


def _alike(name: str) -> str:
    near = difflib.get_close_matches(name[:64], ALLOWED, 3, 0.8)
    return ", ".join(near) or "those of qsim.network.operators.ALLOWED"


def _torch() -> Any:
    try:
        import torch
        import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed
    except ImportError:
        raise MissingToolError(
            "host operators run in torch, which is not installed",
            accepted="pip install torch",
        ) from None
    return torch


def run_torch_step(
    attributes: Mapping[str, Any], values: Mapping[str, Any], constants: Mapping[str, Array]
) -> Any:
    """Run a step; values hold arrays, tensors, sizes, or tuples of them.

    Raises:
        ModelError: torch refuses the arguments.
        UsageError: a forked child in which torch has several threads.
    """
    import torch

    require_one_when_forked()

    args = [decoded(item, values, constants) for item in attributes["args"]]
    kwargs = {key: decoded(item, values, constants) for key, item in attributes["kwargs"].items()}
    name = attributes["operator"]
    try:
        with torch.no_grad():
            return _apply(name, args, kwargs)
    except Exception as error:
        refused = refusal(name, error)
        raise refused from None


def refusal(name: str, error: Exception) -> ModelError:
    """Return what an operator's error is to the caller: one line that names the operator."""
    where = f"host operator {name}"
    if isinstance(error, ModelError):
        error.where = error.where or where
        return error
    lines = str(error).splitlines() or [type(error).__name__]
    return ModelError(lines[0], where=where)


def decoded(item: Any, values: Mapping[str, Any], constants: Mapping[str, Array]) -> Any:
    """Return an argument of a step: its tree with values and constants in place."""
    import torch

    if isinstance(item, list):
        return [decoded(element, values, constants) for element in item]
    if not isinstance(item, dict):
        return item
    ((tag, name),) = item.items()
    if tag == "tensor":
        return to_tensor(values[name])
    if tag == "constant":
        return to_tensor(constants[name])
    if tag == "float":
        return float(name)
    if tag == "device":
        return torch.device(name)
    if tag in _TAGGED:
        return getattr(torch, name)
    raise ModelError.of("an argument's tag must be known", tag, ", ".join(_TAGGED))


def runs_alone(name: str) -> bool:
    """Return whether Python computes it, not torch."""
    return name == "getitem" or name in _SCALAR


def _apply(name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    if name == "getitem":
        if not isinstance(args[0], (tuple, list)):
            raise ModelError.of(
                "getitem takes a value of an operator with several", args[0], "several"
            )
        return args[0][args[1]]
    if name in _SCALAR:
        if not all(is_int(item) for item in args):
            raise ModelError.of(
                f"{name} takes sizes", [type(item).__name__ for item in args], "integers"
            )
        result = _SCALAR[name](*args)
        if not -INT64 <= result < INT64:
            raise ModelError.of("a size must fit 64 bits", result, "-2**63..2**63-1")
        return result
    found = resolve_operator(name)
    require_survivable(name, bind(found, args, kwargs))
    require_small(name, found, args, kwargs)
    return found(*args, **kwargs)

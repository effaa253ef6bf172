"""How much a host operator makes, known before it runs.

A line of a file can ask for any amount of memory: ``repeat`` makes 17 GB of four numbers. So every
step runs on tensors without memory first (torch's ``meta`` device), and no tensor that it makes on
the way, nor its result, may have more than ``MOST_ELEMENTS``. Where the shape of a result depends
on the values, its bound is computed from them. What is known of one combination of shapes is kept.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from qsim.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Of each tensor: 4 GiB of float32.
MOST_ELEMENTS: Final = 1 << 30
# Of an operator that cuts a tensor into pieces.
MOST_RESULTS: Final = 1 << 16
# Elements that a pool looks at, counted once for each result: a minute.
MOST_PRODUCTS: Final = 1 << 36
# torch's own kernels may loop over a size that no tensor has: max_pool1d with a kernel of 2**40
# does not end. A slice may end at 2**63-1.
MAX_INTEGER: Final = 1 << 31
_ENDLESS: Final = (1 << 63) - 1
_BY_PLACES: Final = "aten.index.Tensor"  # an index of booleans makes as many as are true


class _Shape(NamedTuple):
    """A tensor without its values."""

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: Any


class _List(NamedTuple):
    items: tuple[Any, ...]


def require_small(name: str, operator: Any, args: list[Any], kwargs: Mapping[str, Any]) -> None:
    """Refuse a call that would make too much.

    Args:
        name: of the operator.
        operator: torch's.
        args: as it gets them, with tensors.
        kwargs: likewise.

    Raises:
        ModelError: too many elements, results or products, or an integer beyond 32 bits.
        Exception: whatever torch refuses about the arguments.
    """
    bound = bind(operator, args, kwargs)
    _require_integers(name, [*args, *kwargs.values()])
    _require_few(name, bound)
    if name in _BY_VALUE:
        _require(_BY_VALUE[name](bound))
        return
    if name == _BY_PLACES:
        args = [args[0], [place for each in args[1] for place in _places(each)]]
    if not any(hasattr(value, "stride") for value in bound.values()) and _has_device(operator):
        import torch

        kwargs = {**kwargs, "device": torch.device("meta")}  # what makes a tensor of sizes alone
    words = tuple((key, frozen(value)) for key, value in sorted(kwargs.items()))
    made = _made(operator, frozen(args), words)
    kernel = bound.get("kernel_size", 1)
    sizes = kernel if isinstance(kernel, list) else [kernel]
    # One size is that of all of up to three dimensions.
    products = made * math.prod(sizes * 3 if len(sizes) == 1 else sizes)
    if "pool" in name and products > MOST_PRODUCTS:
        raise ModelError(f"it would look at {products:,} elements", accepted=f"{MOST_PRODUCTS:,}")


def reads_values(name: str) -> bool:
    """Return whether what an operator makes is bounded by the values that it reads."""
    return name in _BY_VALUE or name == _BY_PLACES


def bind(operator: Any, args: list[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments by the names of an operator's schema."""
    names = [argument.name for argument in operator._schema.arguments]  # noqa: SLF001
    return {**dict(zip(names, args, strict=False)), **kwargs}


def _has_device(operator: Any) -> bool:
    return any(argument.name == "device" for argument in operator._schema.arguments)  # noqa: SLF001


def _require(elements: int) -> None:
    if elements > MOST_ELEMENTS:
        raise ModelError(
            f"it would make a tensor of {elements:,} elements", accepted=f"up to {MOST_ELEMENTS:,}"
        )


def _require_integers(name: str, tree: Any) -> None:
    """Sizes come from steps as well as from the file."""
    if isinstance(tree, (list, tuple)):
        for item in tree:
            _require_integers(name, item)
    elif isinstance(tree, int) and abs(tree) > MAX_INTEGER:
        if tree == _ENDLESS and name.startswith("aten.slice"):
            return
        raise ModelError.of("an integer must fit 32 bits", tree, "-2**31..2**31")


def _require_few(name: str, bound: Mapping[str, Any]) -> None:
    """Refuse to cut a tensor into too many pieces."""
    tensor, dim = bound.get("self"), bound.get("dim", 0)
    size = bound.get("split_size")
    count = bound.get("chunks", bound.get("sections", 1))
    if isinstance(size, int) or ".unbind" in name:
        along = tensor.shape[dim] if tensor is not None and tensor.ndim else 1
        count = along if ".unbind" in name else -(-along // max(1, size or 1))
    if count > MOST_RESULTS:
        raise ModelError(f"it would make {count:,} tensors", accepted=f"up to {MOST_RESULTS:,}")


def _places(index: Any) -> list[Any]:
    """Return what an index of booleans stands for: where it is true, dimension by dimension."""
    if index is None or not str(index.dtype).endswith(("bool", "uint8")):
        return [index]
    _require(index.numel() * max(1, index.ndim))
    return list(index.nonzero(as_tuple=True)) if index.ndim else [index.reshape(1).nonzero()[:, 0]]


def _broadcast(bound: Mapping[str, Any]) -> int:
    return math.prod(np.broadcast_shapes(tuple(bound["self"].shape), tuple(bound["mask"].shape)))


def _positions(bound: Mapping[str, Any]) -> int:
    tensor = bound.get("self", bound.get("condition"))
    return int(tensor.numel()) * max(1, int(tensor.ndim))


def _classes(bound: Mapping[str, Any]) -> int:
    tensor, classes = bound["self"], bound.get("num_classes", -1)
    if classes == -1:
        classes = int(tensor.max()) + 1 if tensor.numel() else 0
    return int(tensor.numel()) * int(classes)


def _repeated(bound: Mapping[str, Any]) -> int:
    repeats, tensor, dim = bound["repeats"], bound.get("self"), bound.get("dim")
    total = sum(int(each) for each in repeats.reshape(-1).tolist())
    if tensor is None:
        return total
    along = tensor.numel() if dim is None else tensor.shape[dim]
    rows = total * (along if repeats.numel() == 1 else 1)
    return rows if dim is None else rows * (int(tensor.numel()) // max(1, along))


def _as_many(bound: Mapping[str, Any]) -> int:
    return int(bound["self"].numel())


def _packed(bound: Mapping[str, Any]) -> int:
    rows = [int(each.shape[0]) for each in bound["params"]]
    return int(bound["data"].shape[0]) * max(rows, default=1)


def _frames(bound: Mapping[str, Any]) -> int:
    """Frames are at most twice as long as their half spectrum; a length is padded to."""
    tensor, length = bound["self"], bound.get("length") or 0
    return max(2 * int(tensor.numel()), int(length) * math.prod(map(int, tensor.shape[:-2])))


# What reads values on the way, or has no kernel for tensors without memory.
_BY_VALUE: Final[Mapping[str, Callable[[Mapping[str, Any]], int]]] = {
    "aten.argwhere.default": _positions,
    "aten.fake_quantize_per_channel_affine.default": _as_many,
    "aten.fake_quantize_per_tensor_affine.default": _as_many,
    "aten.fake_quantize_per_tensor_affine.tensor_qparams": _as_many,
    "aten.gru.data": _packed,
    "aten.istft.default": _frames,
    "aten.item.default": lambda _bound: 1,
    "aten.lstm.data": _packed,
    "aten.masked_select.default": _broadcast,
    "aten.narrow.Tensor": _as_many,
    "aten.nonzero.default": _positions,
    "aten.one_hot.default": _classes,
    "aten.repeat_interleave.Tensor": _repeated,
    "aten.repeat_interleave.self_Tensor": _repeated,
    "aten.rnn_relu.data": _packed,
    "aten.rnn_tanh.data": _packed,
    "aten.unique_consecutive.default": _positions,
    "aten.unique_dim.default": _positions,
    "aten.where.default": _positions,
}


def frozen(item: Any) -> Any:
    """Return arguments as what can be compared and kept: tensors as their shapes."""
    if isinstance(item, (list, tuple)):
        return _List(tuple(map(frozen, item)))
    if hasattr(item, "stride"):
        return _Shape(tuple(item.shape), tuple(item.stride()), item.dtype)
    # True and 1 are equal, and so would be what is kept for them; nan is equal to nothing.
    return (type(item), item.hex() if isinstance(item, float) else item)


def _thaw(item: Any) -> Any:
    import torch

    if isinstance(item, _List):
        return [_thaw(each) for each in item.items]
    if isinstance(item, _Shape):
        return torch.empty_strided(item.sizes, item.strides, dtype=item.dtype, device="meta")
    kind, value = item
    if kind is float:
        return float.fromhex(value)
    return torch.device("meta") if isinstance(value, torch.device) else value


@functools.lru_cache(maxsize=4096)
def _made(operator: Any, args: _List, kwargs: tuple[tuple[str, Any], ...]) -> int:
    """Run an operator on tensors without memory; return the elements of its largest result."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

    largest = 0

    class Watched(TorchDispatchMode):  # type: ignore[no-untyped-call]
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False  # nothing is compiled here; a wrapper of dynamo's takes a second to load

        def __torch_dispatch__(
            self, function: Any, _types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            nonlocal largest
            result = function(*args, **(kwargs or {}))
            for tensor in result if isinstance(result, (list, tuple)) else (result,):
                if isinstance(tensor, torch.Tensor):
                    largest = max(largest, tensor.numel())
                    _require(largest)
            return result

    # Whoever counts the caller's operators must not count this one besides.
    with torch.no_grad(), _disable_current_modes(), Watched():  # type: ignore[no-untyped-call]
        operator(*_thaw(args), **{key: _thaw(value) for key, value in kwargs})
    return largest

"""A host operator of a network, prepared: what was let through once is not asked again.

What ``limits`` and ``hazards`` say of an operator depends on the shapes and strides that it reads,
but for the few that read values. So a step that ran keeps these, and goes straight to torch where
they come again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hw_models import CachePositionError
from qsim.errors import InputError, ModelError
from qsim.network import hazards, limits
from qsim.network.hostops import (
    decoded,
    references,
    refusal,
    resolve_operator,
    run_torch_step,
    runs_alone,
)
from qsim.program import Array, is_tensor, to_tensor
from qsim.torch_threads import require_one_when_forked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qsim.errors import QsimError

_MOST_KEPT: Final = 64  # combinations of shapes of one step: batches, lengths


class _Slot(NamedTuple):
    """The place of an operand among constant arguments."""

    place: int


class HostCall:
    """A torch step that remembers which shapes were let through."""

    def __init__(
        self, attributes: Mapping[str, Any], constants: Mapping[str, Array], layer: str = ""
    ) -> None:
        self._attributes = attributes
        self._layer = layer
        self._constants = constants
        self._names = references(attributes)
        self._name = name = str(attributes["operator"])
        self._by_shape = not (
            runs_alone(name) or limits.reads_values(name) or hazards.reads_values(name)
        )
        self._seen: set[tuple[Any, ...]] = set()
        self._call: Callable[[Sequence[Any]], Any] | None = None

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """Run the step; arguments and errors as ``run_torch_step``'s, without gradients."""
        operands = [to_tensor(values[name]) for name in self._names]
        shapes = tuple(map(_shape, operands))
        if self._call is not None and shapes in self._seen:
            require_one_when_forked()
            try:
                return self._call(operands)
            except Exception as error:  # torch raises of every kind
                refused = self._placed(refusal(self._name, error), values)
                raise refused from None
        try:
            result = run_torch_step(self._attributes, values, self._constants)
        except ModelError as error:
            refused = self._placed(error, values)
            raise refused from None
        if self._by_shape and len(self._seen) < _MOST_KEPT:
            self._call = self._call or self._prepared()
            self._seen.add(shapes)
        return result

    def _placed(self, error: ModelError, values: Mapping[str, Any]) -> QsimError:
        """Return the error with its layer; of numbers that a look-up has not, which and where."""
        layer = f"layer {self._layer!r}, " if self._layer else ""
        where = f"{layer}{error.where}"
        if self._name == "aten.embedding.default":
            table, numbers = (
                decoded(item, values, self._constants) for item in self._attributes["args"][:2]
            )
            outside = (numbers < 0) | (numbers >= len(table))
            if outside.any():
                index = tuple(outside.nonzero()[0].tolist())
                return InputError(
                    f"an index must be a row of the table, not {int(numbers[index])} at index "
                    f"{index}",
                    where=where,
                    accepted=f"0..{len(table) - 1}",
                )
        if self._name == "aten.index_copy.default":
            cache, dim, rows = (
                decoded(item, values, self._constants) for item in self._attributes["args"][:3]
            )
            length = cache.shape[dim]
            held = -cache.ndim <= dim < cache.ndim
            length = cache.shape[dim] if held else 0
            outside = ((rows < 0) | (rows >= length)).flatten()
            if held and outside.any():
                row = int(outside.nonzero()[0])
                position = CachePositionError(int(rows.flatten()[row]), row, length)
                return InputError(str(position), where=where)
        error.where = where
        return error

    def _prepared(self) -> Callable[[Sequence[Any]], Any]:
        """Return torch's operator with all that does not change in place.

        No operator that a file may name writes into what it reads (``operators``), so constants
        are tensors once: an embedding's table is not copied for every sentence.
        """
        operator = resolve_operator(self._attributes["operator"])
        slots = {name: _Slot(index) for index, name in enumerate(self._names)}
        args = [decoded(item, slots, self._constants) for item in self._attributes["args"]]
        kwargs = {
            key: decoded(item, slots, self._constants)
            for key, item in self._attributes["kwargs"].items()
        }

        def call(operands: Sequence[Any]) -> Any:
            filled = [_filled(item, operands) for item in args]
            return operator(*filled, **{k: _filled(item, operands) for k, item in kwargs.items()})

        return call


def _shape(value: Any) -> Any:
    if is_tensor(value):
        return value.shape, value.stride(), value.dtype
    return limits.frozen(value)


def _filled(item: Any, operands: Sequence[Any]) -> Any:
    kind = type(item)
    if kind is _Slot:
        return operands[item.place]
    return [_filled(each, operands) for each in item] if kind is list else item

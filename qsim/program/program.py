"""A Program: an integer-only network, checked when it is made and then run.

Without a trace it runs as a command stream (``qsim.stream``); with one, call by call. Both make the
same integers.

What is wrong with the data of a Program is found at construction (``qsim.program.data``). What is
left for run time are the values: codes outside their format, and accumulators whose overflow mode
is ``error``.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import InputError, ModelError
from qsim.program.calls import Call, Observer, TensorSpec
from qsim.program.data import ProgramData
from qsim.program.liveness import last_uses
from qsim.program.values import Refused, always_codes, check_values, in_native_order, kinds_of

if TYPE_CHECKING:
    from hw_models import IndexRangeError, Ledger
    from qsim.memory import Plan, Space
    from qsim.program.attributes import Array
    from qsim.program.primitives import Kernel
    from qsim.program.values import Kinds
    from qsim.stream import Allocation, Stream, Streams

__all__ = ["Call", "Program", "TensorSpec"]

_KNOWN: Final = 64  # kinds of arrays


@dataclass(frozen=True, eq=False)
class Program(ProgramData):
    """An integer-only network that runs. Its attributes are those of :class:`ProgramData`."""

    @functools.cached_property
    def _dying(self) -> tuple[tuple[str, ...], ...]:
        uses = [(*call.inputs, call.output) for call in self.calls]
        return last_uses(uses, {*self.outputs, *self.constants})

    @functools.cached_property
    def mixing(self) -> tuple[str, ...]:
        """Layers in which samples of a batch see one another: a range of all of them is taken.

        What comes of a sample then depends on those beside it.
        """
        apart = {name for name, spec in self.tensors.items() if spec.shape[:1] == (-1,)}
        found = (
            call.layer or call.name
            for call in self.calls
            if call.output not in apart and not apart.isdisjoint(call.inputs)
        )
        return tuple(dict.fromkeys(found))

    def stream(self, batch: int = 1) -> Stream:
        """Return the command stream for a batch size; a few are kept.

        Args:
            batch: 1 or more; of no meaning where no input has a symbolic batch.
        """
        return self._streams.get(batch)

    def allocate(self, batch: int = 1, planner: str = "smallest") -> Allocation:
        """Return where the tensors of a batch lie, and when; see ``qsim.stream.allocation``.

        Raises:
            ModelError: the memory does not hold them; names the layer and what is missing.
            UsageError: no such planner.
        """
        from qsim.stream import allocate

        return allocate(self, batch, planner)

    def plan(self, batch: int = 1) -> Plan:
        """Return where the buffers of a batch lie in the stream's arena; errors as ``allocate``."""
        return self.allocate(batch).plan

    def placed_in(self, memory: Space) -> Program:
        """Return this Program with another memory; constants and kernels are shared."""
        if memory == self.memory:
            return self
        other = object.__new__(type(self))
        other.__dict__.update(vars(self), memory=memory)
        other.__dict__.pop("_streams", None)
        return other

    def __reduce__(self) -> tuple[Any, tuple[bytes]]:
        """Have pickles and copies hold bytes as in a ``.qsim`` file, and what reads them."""
        from qsim.network import program_from_bytes, program_to_bytes

        return program_from_bytes, (program_to_bytes(self),)

    @functools.cached_property
    def _streams(self) -> Streams:
        from qsim.stream import Streams

        return Streams(self, self._compute)

    def _compute(self, index: int, arrays: list[Array]) -> Array:
        return _compute(self, self.calls[index], self.kernel(index), arrays, None)

    def run(
        self, *arrays: Array, trace: Observer | None = None, threads: int | None = None
    ) -> tuple[Array, ...]:
        """Compute the outputs.

        Args:
            arrays: one per input, any integer dtype, byte and memory order; codes of the input's
                format.
            trace: called after every call with the call, its output and its Ledger. Without it,
                the command stream runs and no ledger is kept.
            threads: of the command stream; Numba's number by default. The result does not depend
                on it.

        Returns:
            One array per output, in the container dtype of its format.

        Raises:
            InputError: a wrong count, shape, dtype or value; an accumulator or format with
                ``overflow="error"`` that overflowed.
        """
        kinds = kinds_of(arrays)
        batch = self._known.get(kinds) if trace is None else None
        if batch is None:
            batch = self._checked(arrays)
            if trace is not None or batch == 0:
                return self._interpret(tuple(map(in_native_order, arrays)), trace)
            if kinds is not None and len(self._known) < _KNOWN and self._always_fit(kinds):
                self._known[kinds] = batch
        try:
            return self._streams.run(arrays, batch, threads)
        except Refused:
            return self._interpret(tuple(map(in_native_order, arrays)), None)

    def _checked(self, arrays: tuple[Any, ...]) -> int:
        """Check arrays; return their batch size, 1 where the inputs have none.

        Raises:
            InputError: as ``run``.
        """
        if len(arrays) != len(self.inputs):
            raise InputError(
                f"takes {len(self.inputs)} arrays, not {len(arrays)}",
                where=f"program {self.name!r}",
                accepted=", ".join(self.inputs),
            )
        batch: int | None = None
        for name, array in zip(self.inputs, arrays, strict=True):
            batch = check_values(array, self.tensors[name], batch)
        return 1 if batch is None else batch

    @functools.cached_property
    def _known(self) -> dict[Kinds | None, int]:
        """Batch sizes by kinds of arrays that pass the checks whatever numbers they hold."""
        return {}

    def _always_fit(self, kinds: Kinds) -> bool:
        """Return whether arrays that passed once, of dtypes checked then, always pass."""
        specs = [self.tensors[name] for name in self.inputs]
        return all(
            spec.format.dtype.kind == "f" or always_codes(dtype, spec.codes)
            for (_, dtype), spec in zip(kinds, specs, strict=True)
        )

    def _interpret(self, arrays: tuple[Array, ...], trace: Observer | None) -> tuple[Array, ...]:
        from hw_models import Ledger

        values: dict[str, Array] = dict(self.constants)
        values.update(zip(self.inputs, arrays, strict=True))
        for index, (call, dying) in enumerate(zip(self.calls, self._dying, strict=True)):
            ledger = None if trace is None else Ledger()
            result = _compute(
                self, call, self.kernel(index), [values[name] for name in call.inputs], ledger
            )
            values[call.output] = result
            if trace is not None and ledger is not None:
                container = self.tensors[call.output].format.dtype
                trace(call, result.astype(container, order="C"), ledger)
            for name in dying:
                del values[name]
        return tuple(self._result(name, values[name]) for name in self.outputs)

    def _result(self, name: str, value: Array) -> Array:
        return value.astype(self.tensors[name].format.dtype, copy=False)


def _compute(
    program: Program, call: Call, kernel: Kernel, arrays: list[Array], ledger: Ledger | None
) -> Array:
    from hw_models import (
        AccumulatorOverflowError,
        ContractError,
        IndexRangeError,
        NonFiniteError,
    )

    try:
        return kernel(arrays, ledger)
    except AccumulatorOverflowError as error:
        raise InputError(str(error), where=call.where) from None
    except (NonFiniteError, IndexRangeError) as error:
        layer = f"layer {call.layer!r}, " if call.layer else ""
        full = _full_cache(program, call, error) if isinstance(error, IndexRangeError) else ""
        raise InputError(f"{full}{error}", where=f"{layer}{call.where}") from None
    except ContractError as error:
        raise ModelError(str(error), where=call.where) from None
    except MemoryError:
        raise InputError("the output does not fit into memory", where=call.where) from None


def _full_cache(program: Program, call: Call, error: IndexRangeError) -> str:
    """Say that a cache is full, where a table is read by the positions that it is written at.

    What follows from positions is looked up before they reach the cache itself.
    """
    for other in program.calls:
        if (call.primitive, other.primitive) != ("embedding", "cache_write"):
            continue
        attributes: Any = other.attributes
        cache = program.tensors[other.inputs[0]].shape
        length = cache[attributes["axis"]]
        same = other.inputs[2] == call.inputs[1] and not attributes["ring"]
        if same and error.value >= length:
            return f"the cache is full, it has {length} rows: "
    return ""

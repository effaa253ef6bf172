"""Lowered: a network of integer Programs and of the host steps between them.

Values flow between steps by name. A value is an array of codes, a float array, or whatever a host
operator made (a tensor, a size, a tuple). torch is loaded only where a step or a caller needs it.
"""

from __future__ import annotations

import functools
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final, Literal, assert_never

import numpy as np

from qsim.errors import InputError, UsageError
from qsim.network.data import Network
from qsim.network.recorder import Recorder
from qsim.network.steps import HostOperator, Step, ValueSpec
from qsim.network.structure import build
from qsim.network.trace import Trace
from qsim.program import (
    Array,
    as_array,
    check_input,
    check_output,
    contiguous,
    format_from_json,
    is_tensor,
    last_uses,
    present,
    to_numpy,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from os import PathLike

    from hw_models import FixedFormat
    from qsim.network.hostcall import HostCall
    from qsim.network.recorder import HostObserver
    from qsim.network.session import Session

__all__ = ["HostOperator", "Lowered", "Step", "ValueSpec"]

_KEPT: Final = 8  # networks of one length


class Lowered(Network):
    """A quantized network, lowered for a target. Call it like the model.

    Attributes:
        target: the contract whose integers it computes.
        inputs, outputs: what it takes and returns.
        steps: in the order of execution.
        programs: the integer parts, by index.
        constants: arrays of host operators.
        host_operators: what stayed in torch, with its layer and the reason.
        model: the name of the model, for reports.
        structure: how the outputs are nested, see ``qsim.network.structure``; None for one bare
            output, or a tuple of several.
    """

    @functools.cached_property
    def _codes_of_steps(self) -> tuple[FixedFormat | None, ...]:
        return tuple(_codes(step) for step in self.steps)

    @functools.cached_property
    def _host_calls(self) -> dict[int, HostCall]:
        """The steps that run in torch, by index."""
        if all(step.kind != "torch" for step in self.steps):
            return {}
        from qsim.network.hostcall import HostCall

        steps = [(index, step) for index, step in enumerate(self.steps) if step.kind == "torch"]
        # A file of an older version may list them otherwise: then no layer is told.
        told = [item.operator for item in self.host_operators]
        same = told == [step.attributes["operator"] for _, step in steps]
        layers = [item.layer if same else "" for item in self.host_operators]
        layers += [""] * (len(steps) - len(layers))
        return {
            index: HostCall(step.attributes, self.constants, layer)
            for (index, step), layer in zip(steps, layers, strict=False)
        }

    @functools.cached_property
    def _dying(self) -> tuple[tuple[str, ...], ...]:
        """Values that nothing needs after each step."""
        uses = [(*step.inputs, *step.outputs) for step in self.steps]
        kept = {spec.name for spec in self.outputs} | {state.made for state in self.states}
        return last_uses(uses, kept)

    def __repr__(self) -> str:
        calls = sum(len(program.calls) for program in self.programs)
        return (
            f"Lowered({self.model or 'network'}: {len(self.programs)} programs, {calls} calls, "
            f"{len(self.host_operators)} host operators, target {self.target.name})"
        )

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Compute the outputs; NumPy arrays in, arrays out; torch tensors in, tensors out.

        Args:
            inputs: one per ``ValueSpec`` of ``inputs``, of its dtype; any batch where the shape
                begins with -1, an empty one too; any length within the bounds of ``free``.
            named: further ones, by the names of their specs.

        Returns:
            The outputs, nested as the model returns them: a bare one, tuples, lists, dicts; what
            was a dataclass is a dict whose entries are attributes as well.

        Raises:
            InputError: wrong count, kind, dtype, shape or device; NaN; a code out of its format.

        A network with states is called as a session that is new: from the initial values, and what
        they become is forgotten.
        """
        given = self.ordered(inputs, named)
        network = self.of(given)
        arrays, torch_in, batch = network.arrays(given)
        values = network.step(arrays, self._begin(batch), None)
        return network.presented(values, arrays, as_torch=torch_in)

    def presented(
        self, values: Mapping[str, Any], inputs: Sequence[Array], *, as_torch: bool
    ) -> Any:
        """Return the outputs among a step's values as the caller gets them: nested, of his kind."""
        results = tuple(
            present(values[spec.name], spec.name, inputs, as_torch=as_torch)
            for spec in self.outputs
        )
        return build(self.structure, results)

    def session(self, batch: int | None = None) -> Session:
        """Return a new session: the network over steps, with states of its own.

        Args:
            batch: samples that run side by side, 1 if nothing is said; of a model that fixes the
                batch of its states, only theirs.

        Raises:
            UsageError: another batch than the states have.
        """
        from qsim.network.session import Session

        return Session(self, batch)

    def _begin(self, batch: int | None) -> dict[str, Array]:
        held = 1 if batch is None else batch
        return {state.value.name: state.begin(held) for state in self.states}

    def trace(self, *inputs: Any, host: HostObserver | None = None, **named: Any) -> Trace:
        """Run and keep every tensor and ledger; arguments and errors as a call's.

        Args:
            inputs: as a call's.
            host: returns the context that an operator in torch runs in, from its step's name.
            named: as a call's.
        """
        given = self.ordered(inputs, named)
        network = self.of(given)
        arrays, _, batch = network.arrays(given)
        recorder = Recorder(host)
        values = network.step(arrays, self._begin(batch), recorder)
        return network.traced(values, recorder, batch)

    def traced(self, values: Mapping[str, Any], recorder: Recorder, batch: int | None) -> Trace:
        """Return the Trace of a run: what it recorded, and the values of its steps."""
        for name, value in values.items():
            if isinstance(value, np.ndarray) or hasattr(value, "numpy"):
                key = f"{name}.value" if name in recorder.tensors else name
                recorder.tensors[key] = contiguous(value, name)
        outputs = tuple(contiguous(values[spec.name], spec.name) for spec in self.outputs)
        return Trace(
            recorder.tensors,
            tuple(recorder.entries),
            outputs,
            1 if batch is None else batch,
            recorder.specs,
        )

    def quantized_io(self) -> Lowered:
        """Return the network with integer inputs and outputs: no quantize at its boundary.

        The parameters of the steps removed stay in the specs of ``inputs`` and ``outputs``.

        Raises:
            ModelError: an input or output that a host operator takes or makes in float.
        """
        from qsim.network.integer_io import integer_boundary

        return integer_boundary(self)

    def at(self, length: int) -> Lowered:
        """Return the network of sequences of one length; a few are kept.

        Raises:
            UsageError: its lengths are fixed, or it does not take this one.
        """
        if self.lengths is None:
            raise UsageError("its shapes are fixed", where="at", accepted="lengths= of quantize")
        made = self._kept.get(self.lengths.check(length))
        if made is None:
            made = self.lengths.concrete(self, length)
            # A new dict: other threads may be looking up in this one.
            self._kept = {**dict(list(self._kept.items())[1 - _KEPT :]), length: made}
        return made

    @functools.cached_property
    def _kept(self) -> dict[int, Lowered]:
        return {}

    def of(self, inputs: tuple[Any, ...]) -> Lowered:
        """Return the network of the length of these inputs; itself where lengths are fixed."""
        if self.lengths is None:
            return self
        self._require_count(inputs)
        shapes = [tuple(getattr(value, "shape", ())) for value in inputs]
        return self.at(self.lengths.of(shapes, self.inputs))

    def save(self, path: str | PathLike[str]) -> None:
        """Write a ``.qsim`` file; the same network gives the same bytes.

        Raises:
            UsageError: the path cannot be written.
        """
        from qsim.network.store import save

        save(self, path)

    # -- inputs ----------------------------------------------------------------------------------

    def ordered(self, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the inputs in their order."""
        if not named:
            return inputs
        rest = [spec.name for spec in self.inputs[len(inputs) :]]
        if sorted(rest) != sorted(named):
            raise InputError.of("inputs by name must be the rest", sorted(named), ", ".join(rest))
        return (*inputs, *(named[name] for name in rest))

    def arrays(self, inputs: tuple[Any, ...]) -> tuple[list[Array], bool, int | None]:
        """Return the inputs as arrays, whether they were tensors, and the batch size."""
        self._require_count(inputs)
        kinds = {is_tensor(value) for value in inputs}
        if len(kinds) > 1:
            raise InputError(
                "inputs must all be torch tensors or all be NumPy arrays, not both",
                accepted="one kind",
            )
        batch: int | None = None
        arrays = []
        for value, spec in zip(inputs, self.inputs, strict=True):
            array = as_array(value, spec)
            batch = check_input(array, spec, batch)
            arrays.append(array)
        return arrays, True in kinds, batch

    def _require_count(self, inputs: tuple[Any, ...]) -> None:
        if len(inputs) != len(self.inputs):
            raise InputError(
                f"the network takes {len(self.inputs)} inputs, not {len(inputs)}",
                accepted=", ".join(spec.name for spec in self.inputs),
            )

    # -- execution -------------------------------------------------------------------------------

    def step(
        self, arrays: list[Array], states: Mapping[str, Array], recorder: Recorder | None
    ) -> dict[str, Any]:
        """Return the values of one run of all steps, outputs and new states among them.

        Args:
            arrays: the inputs, checked by ``arrays``.
            states: what is read of each state, by the name of its value.
            recorder: of a traced run.
        """
        values: dict[str, Any] = dict(states)
        values.update((spec.name, array) for spec, array in zip(self.inputs, arrays, strict=True))
        with self._without_gradients():
            for index, step in enumerate(self.steps):
                results = self._run(index, step, values, recorder)
                values.update(zip(step.outputs, results, strict=True))
                if recorder is None:
                    for name in self._dying[index]:
                        del values[name]
        for spec in self.outputs:
            check_output(values[spec.name], spec)
        for state in self.states:
            check_output(values[state.made], state.value)
        return values

    def _without_gradients(self) -> AbstractContextManager[Any]:
        if not self._host_calls:
            return nullcontext()
        import torch

        return torch.no_grad()

    def _run(
        self,
        index: int,
        step: Step,
        values: Mapping[str, Any],
        recorder: Recorder | None,
    ) -> Sequence[Any]:
        if step.kind == "torch":
            call = self._host_calls[index]
            if recorder is None or recorder.host is None:
                return [call(values)]
            with recorder.host(step.name):
                return [call(values)]
        arrays = [to_numpy(values[name], name) for name in step.inputs]
        if step.kind == "program":
            program = self.programs[_index(step)]
            arrays = [x.view(np.uint8) if x.dtype == np.bool_ else x for x in arrays]
            observe = None if recorder is None else recorder.observe(program, arrays)
            return program.run(*arrays, trace=observe)
        return [_convert(step, step.kind, arrays[0], self._codes_of_steps[index])]


def _index(step: Step) -> int:
    index = step.attributes["program"]
    return index if isinstance(index, int) else -1


def _codes(step: Step) -> FixedFormat | None:
    output = step.attributes.get("output")
    is_boundary = step.kind in ("quantize", "dequantize")
    return format_from_json(output) if is_boundary and output is not None else None


def _convert(
    step: Step, kind: Literal["quantize", "dequantize"], array: Array, codes: FixedFormat | None
) -> Array:
    """Run a quantize or dequantize step."""
    from hw_models import ContractError

    attributes: Any = step.attributes
    scale, zero_point = attributes["scale"], attributes["zero_point"]
    try:
        match kind:
            case "quantize":
                from hw_models.quantize import quantize

                formula = attributes["formula"]
                keywords: Any = {"output": codes, "formula": formula}
                result: Array = quantize(array, scale, zero_point, **keywords)
            case "dequantize":
                from hw_models.dequantize import dequantize

                result = dequantize(array, scale, zero_point)
            case _:
                assert_never(kind)
    except ContractError as error:
        raise InputError(str(error), where=f"step {step.name!r} ({step.kind})") from None
    return result

"""Lowered: a network of integer Programs and of the host steps between them.

Values flow between steps by name. A value is an array of codes, a float array, or whatever a host
operator made (a tensor, a size, a tuple). torch is loaded only where a step or a caller needs it.
"""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np

from qsim.attributes import (
    Array,
    Json,
    bad,
    check_name,
    check_scale,
    check_shape,
    format_from_json,
    is_int,
    to_json,
)
from qsim.errors import InputError, ModelError
from qsim.program import Call, Program, TensorSpec, check_range, check_shape_of
from qsim.structure import build, plain
from qsim.trace import Entry, Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from os import PathLike

    from hw_models import FixedFormat, Ledger
    from qsim.target import Target

Kind: TypeAlias = Literal["quantize", "dequantize", "program", "torch"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)
FORMULAS: Final = ("torch", "executorch", "onnx")
DTYPES: Final = (
    *("float32", "float64", "float16", "bfloat16", "bool"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
)


@dataclass(frozen=True, slots=True)
class ValueSpec:
    """An input or output of a network.

    Attributes:
        name: of the value, as the steps use it.
        shape: sizes; -1 in front is any batch.
        dtype: ``float32``, or the container of integer codes (``int8``, ...).
        scale, zero_point: real value = scale * (code - zero_point), where there are codes.
        format: the codes that it may hold; None where it is no tensor of codes.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    scale: float | None = None
    zero_point: int = 0
    format: FixedFormat | None = None

    def __post_init__(self) -> None:
        check_name(self.name, "ValueSpec.name")
        where = f"value {self.name!r}"
        object.__setattr__(self, "shape", check_shape(self.shape, where))
        if self.dtype not in DTYPES:
            raise bad(f"{where}: dtype must be one of its names", self.dtype, ", ".join(DTYPES))
        if self.scale is not None:
            object.__setattr__(self, "scale", check_scale(self.scale, where))
        if not is_int(self.zero_point) or abs(self.zero_point) >= 1 << 33:
            raise bad(f"{where}: zero_point must be a code", self.zero_point, "an integer")
        if self.format is not None and self.dtype != str(self.format.dtype):
            raise bad(f"{where}: dtype must hold the format", self.dtype, str(self.format.dtype))


@dataclass(frozen=True, slots=True)
class HostOperator:
    """An operator that stayed in torch, and why. Also readable as a mapping of its fields."""

    operator: str
    layer: str
    reason: str

    def keys(self) -> Iterator[str]:
        """Return the names of the fields, so that ``dict(host_operator)`` works."""
        return (field.name for field in dataclasses.fields(self))

    def __getitem__(self, key: str) -> str:
        """Return a field by name."""
        if key not in set(self.keys()):
            raise KeyError(key)
        return str(getattr(self, key))


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the host graph.

    Attributes:
        kind: ``quantize`` or ``dequantize`` (scale, zero_point, output, formula), ``program``
            (program: its index), ``torch`` (operator, args, kwargs: see ``qsim.hostops``).
        name: unique in the network.
        inputs, outputs: names of values; a program's in the order of its own.
        attributes: plain JSON.
    """

    kind: Kind
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Json]

    def __post_init__(self) -> None:
        check_name(self.name, "Step.name")
        where = f"step {self.name!r}"
        if self.kind not in KINDS:
            raise bad(f"{where}: kind must be one of its names", self.kind, ", ".join(KINDS))
        for field in ("inputs", "outputs"):
            names = getattr(self, field)
            if not isinstance(names, (list, tuple)):
                raise bad(f"{where}: {field} must be a list of names", names, "a list of names")
            for name in names:
                check_name(name, f"{where}: {field}")
            object.__setattr__(self, field, tuple(names))
        attributes = to_json(self.attributes)
        if not isinstance(attributes, dict):
            raise bad(f"{where}: attributes must be an object", attributes, "an object")
        object.__setattr__(self, "attributes", MappingProxyType(attributes))


class Lowered:
    """A quantized network, lowered for a target. Call it like the model.

    Attributes:
        target: the contract whose integers it computes.
        inputs, outputs: what it takes and returns.
        steps: in the order of execution.
        programs: the integer parts, by index.
        constants: arrays of host operators.
        host_operators: what stayed in torch, with its layer and the reason.
        model: the name of the model, for reports.
        structure: how the outputs are nested, see ``qsim.structure``; None for one bare output, or
            a tuple of several.

    Raises:
        ModelError: steps, programs and values do not fit together.
    """

    def __init__(
        self,
        target: Target,
        inputs: Sequence[ValueSpec],
        outputs: Sequence[ValueSpec],
        steps: Sequence[Step],
        programs: Sequence[Program],
        constants: Mapping[str, Array] | None = None,
        host_operators: Sequence[HostOperator] = (),
        model: str = "",
        structure: Json = None,
    ) -> None:
        self.target = target
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.steps = tuple(steps)
        self.programs = tuple(programs)
        self.constants = MappingProxyType(dict(constants or {}))
        self.host_operators = tuple(host_operators)
        self.model = model
        self.structure = plain(len(self.outputs)) if structure is None else structure
        from qsim.wiring import check_network

        check_network(self)
        self._codes_of_steps = tuple(_codes(step) for step in self.steps)

    def __repr__(self) -> str:
        calls = sum(len(program.calls) for program in self.programs)
        return (
            f"Lowered({self.model or 'network'}: {len(self.programs)} programs, {calls} calls, "
            f"{len(self.host_operators)} host operators, target {self.target.name})"
        )

    def __call__(self, *inputs: Any) -> Any:
        """Compute the outputs; NumPy arrays in, arrays out; torch tensors in, tensors out.

        Args:
            inputs: one per ``ValueSpec`` of ``inputs``, of its dtype; any batch where the shape
                begins with -1, an empty one too.

        Returns:
            The outputs, nested as the model returns them: a bare one, tuples, lists, dicts.

        Raises:
            InputError: wrong count, kind, dtype, shape or device; NaN; a code out of its format.
        """
        arrays, torch_in, _ = self._arrays(inputs)
        values = self._execute(arrays, None)
        results = tuple(
            _present(values[spec.name], spec.name, arrays, as_torch=torch_in)
            for spec in self.outputs
        )
        return build(self.structure, results)

    def trace(self, *inputs: Any) -> Trace:
        """Run and keep every tensor and ledger; arguments and errors as a call's."""
        arrays, _, batch = self._arrays(inputs)
        recorder = _Recorder()
        values = self._execute(arrays, recorder)
        for name, value in values.items():
            if isinstance(value, np.ndarray) or hasattr(value, "numpy"):
                key = f"{name}.value" if name in recorder.tensors else name
                recorder.tensors[key] = _contiguous(value, name)
        outputs = tuple(_contiguous(values[spec.name], spec.name) for spec in self.outputs)
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
        from qsim.wiring import integer_boundary

        return integer_boundary(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write a ``.qsim`` file; the same network gives the same bytes.

        Raises:
            UsageError: the path cannot be written.
        """
        from qsim.store import save

        save(self, path)

    # -- inputs ----------------------------------------------------------------------------------

    def _arrays(self, inputs: tuple[Any, ...]) -> tuple[list[Array], bool, int | None]:
        """Return the inputs as arrays, whether they were tensors, and the batch size."""
        if len(inputs) != len(self.inputs):
            raise InputError(
                f"the network takes {len(self.inputs)} inputs, not {len(inputs)}",
                accepted=", ".join(spec.name for spec in self.inputs),
            )
        kinds = {is_tensor(value) for value in inputs}
        if len(kinds) > 1:
            raise InputError(
                "inputs must all be torch tensors or all be NumPy arrays, not both",
                accepted="one kind",
            )
        batch: int | None = None
        arrays = []
        for value, spec in zip(inputs, self.inputs, strict=True):
            array = _as_array(value, spec)
            batch = _check_input(array, spec, batch)
            arrays.append(array)
        return arrays, True in kinds, batch

    # -- execution -------------------------------------------------------------------------------

    def _execute(self, arrays: list[Array], recorder: _Recorder | None) -> dict[str, Any]:
        values: dict[str, Any] = {
            spec.name: array for spec, array in zip(self.inputs, arrays, strict=True)
        }
        dying = self._dying() if recorder is None else ()
        for index, step in enumerate(self.steps):
            operands = [values[name] for name in step.inputs]
            results = self._run(index, step, operands, values, recorder)
            values.update(zip(step.outputs, results, strict=True))
            if recorder is None:
                for name in dying[index]:
                    del values[name]
        return values

    def _dying(self) -> tuple[tuple[str, ...], ...]:
        """Return, for every step, the values that nothing needs after it."""
        last: dict[str, int] = {}
        for index, step in enumerate(self.steps):
            last.update(dict.fromkeys((*step.inputs, *step.outputs), index))
        kept = {spec.name for spec in self.outputs}
        dying: list[list[str]] = [[] for _ in self.steps]
        for name, index in last.items():
            if name not in kept:
                dying[index].append(name)
        return tuple(tuple(names) for names in dying)

    def _run(
        self,
        index: int,
        step: Step,
        operands: list[Any],
        values: Mapping[str, Any],
        recorder: _Recorder | None,
    ) -> Sequence[Any]:
        if step.kind == "torch":
            from qsim.hostops import run_torch_step

            return [run_torch_step(step.attributes, values, self.constants)]
        arrays = [_to_numpy(value, name) for value, name in zip(operands, step.inputs, strict=True)]
        if step.kind == "program":
            program = self.programs[_index(step)]
            observe = None if recorder is None else recorder.observe(program, step, arrays)
            return program.run(*arrays, trace=observe)
        return [_convert(step, arrays[0], self._codes_of_steps[index])]


def is_tensor(value: object) -> bool:
    """Return whether value is a torch tensor, without loading torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _index(step: Step) -> int:
    index = step.attributes["program"]
    return index if isinstance(index, int) else -1


def _codes(step: Step) -> FixedFormat | None:
    output = step.attributes.get("output")
    is_boundary = step.kind in ("quantize", "dequantize")
    return format_from_json(output) if is_boundary and output is not None else None


def _convert(step: Step, array: Array, codes: FixedFormat | None) -> Array:
    """Run a quantize or dequantize step."""
    from hw_models import ContractError

    attributes: Any = step.attributes
    scale, zero_point = attributes["scale"], attributes["zero_point"]
    try:
        if step.kind == "quantize":
            from hw_models.quantize import quantize

            formula = attributes["formula"]
            keywords: Any = {"output": codes, "formula": formula}
            result: Array = quantize(array, scale, zero_point, **keywords)
        else:
            from hw_models.dequantize import dequantize

            result = dequantize(array, scale, zero_point)
    except ContractError as error:
        raise InputError(str(error), where=f"step {step.name!r} ({step.kind})") from None
    return result


def _as_array(value: Any, spec: ValueSpec) -> Array:
    where = f"input {spec.name!r}"
    accepted = f"a torch tensor or NumPy array of {spec.dtype}"
    if is_tensor(value):
        found = str(value.dtype).removeprefix("torch.")
        if value.device.type != "cpu" or value.layout != sys.modules["torch"].strided:
            raise InputError(
                f"the tensor must be dense and on the CPU, not {value.device}, {value.layout}",
                where=where,
                accepted=accepted,
            )
        if found == spec.dtype:
            array: Array = value.detach().resolve_conj().resolve_neg().numpy()
            return array
    elif isinstance(value, np.ndarray):
        found = str(value.dtype)
        if found == spec.dtype:
            return value
    else:
        raise InputError(f"not {type(value).__name__}", where=where, accepted=accepted)
    raise InputError(f"dtype must be {spec.dtype}, not {found}", where=where, accepted=spec.dtype)


def _check_input(array: Array, spec: ValueSpec, batch: int | None) -> int | None:
    where = f"input {spec.name!r}"
    batch = check_shape_of(array.shape, spec.shape, where, batch)
    if spec.format is not None:
        check_range(array, spec.format, where)
    elif array.dtype.kind == "f":
        bad_values = np.isnan(array)
        if bad_values.any():
            found = np.unravel_index(int(np.argmax(bad_values)), array.shape)
            raise InputError(
                f"NaN at index {[int(i) for i in found]}", where=where, accepted="numbers"
            )
    return batch


def _to_numpy(value: Any, name: str) -> Array:
    if isinstance(value, np.ndarray):
        return value
    if is_tensor(value):
        try:
            array: Array = value.detach().numpy()
        except (TypeError, RuntimeError) as error:
            raise ModelError(str(error), where=f"value {name!r}") from None
        return array
    raise bad(f"value {name!r} must be a tensor", type(value).__name__, "a tensor")


def _contiguous(value: Any, name: str) -> Array:
    return np.array(_to_numpy(value, name), order="C")


def _present(value: Any, name: str, inputs: Sequence[Array], *, as_torch: bool) -> Any:
    """Return a value as the caller's kind, with memory of its own."""
    if not as_torch:
        array = _to_numpy(value, name)
        own = array.flags.owndata and not any(array is taken for taken in inputs)
        return array if own else array.copy()
    if is_tensor(value):
        return value.clone()
    from qsim.hostops import to_tensor

    return to_tensor(_contiguous(value, name))


class _Recorder:
    """Collects what a traced run makes."""

    def __init__(self) -> None:
        self.tensors: dict[str, Array] = {}
        self.specs: dict[str, TensorSpec] = {}
        self.entries: list[Entry] = []

    def _key(self, program: Program, name: str) -> str:
        return name if name not in self.tensors else f"{program.name}.{name}"

    def _keep(self, key: str, array: Array, spec: TensorSpec) -> None:
        self.tensors[key] = np.ascontiguousarray(array)
        self.specs[key] = spec

    def observe(
        self, program: Program, step: Step, arrays: Sequence[Array]
    ) -> Callable[[Call, Array, Ledger], None]:
        """Return the observer of one run of a program, after keeping its inputs."""
        del step
        for name, array in zip(program.inputs, arrays, strict=True):
            spec = program.tensors[name]
            codes = array.astype(spec.format.dtype)
            same = self.tensors.get(name)
            if same is None or not (same.dtype == codes.dtype and np.array_equal(same, codes)):
                self._keep(self._key(program, name), codes, spec)

        def visit(call: Call, array: Array, ledger: Ledger) -> None:
            spec = program.tensors[call.output]
            key = self._key(program, call.output)
            self._keep(key, array, spec)
            macs = program.macs(call)
            self.entries.append(
                Entry(call.name, call.layer, call.primitive, array.shape, macs, ledger, key, spec)
            )

        return visit

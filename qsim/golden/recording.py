"""Every primitive call of a run as a golden case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qsim.golden.case import Case
from qsim.golden.writing import write
from qsim.program import PRIMITIVES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from hw_models import Format
    from qsim.golden.sets import GoldenSet
    from qsim.network import Entry, Lowered, Session, Trace
    from qsim.program import Array, Call, Program
    from qsim.target import Target


def cases(lowered: Lowered | Session, x: Any) -> Iterator[Case]:
    """Yield every primitive call of one run, in the order of execution.

    Args:
        lowered: the network; or a session, of which the run is the next step.
        x: its input, an array or a torch tensor of any batch that it takes; a tuple or a list of
            them for several inputs.

    Raises:
        InputError: an input of a wrong count, shape, dtype or value.
    """
    inputs = tuple(x) if isinstance(x, (tuple, list)) else (x,)
    trace = lowered.trace(*inputs)
    network = _network(lowered)
    ran = [(program, call) for program in network.programs_in_order() for call in program.calls]
    taken: set[str] = set()
    for (program, call), entry in zip(ran, trace.ledger, strict=True):
        name = call.name if call.name not in taken else f"{program.name}.{call.name}"
        taken.add(name)
        yield _case(name, program, call, entry, trace, network.target)


def _network(runner: Lowered | Session) -> Lowered:
    from qsim.network import Session

    return runner.network if isinstance(runner, Session) else runner


def record(
    lowered: Lowered | Session,
    x: Any,
    directory: str | PathLike[str],
    *,
    model: str | None = None,
    seed: int | None = None,
    force: bool = False,
) -> GoldenSet:
    """Run a network and write every primitive call as a golden set.

    Args:
        lowered: the network, or a session, as for :func:`cases`.
        x: likewise.
        directory: the folder to make.
        model: what the manifest calls the model; the network's own name if None.
        seed: of the input, if it was drawn; only written down.
        force: replace a golden set that is there.

    Raises:
        UsageError: the folder exists and is no golden set to replace, or cannot be written.
        InputError: an input that the network does not take.
    """
    network = _network(lowered)
    name = network.model if model is None else model
    return write(
        cases(lowered, x),
        directory,
        network.target,
        model=name,
        network=network.digest,
        seed=seed,
        force=force,
    )


def _case(
    name: str, program: Program, call: Call, entry: Entry, trace: Trace, target: Target
) -> Case:
    operands, formats = {}, {}
    slots = PRIMITIVES[call.primitive].slots(len(call.inputs))
    for slot, source, key in zip(slots, call.inputs, entry.operands, strict=True):
        constant = program.constants.get(source)
        operands[slot] = trace.tensors[key] if constant is None else constant
        spec = program.tensors.get(source)
        formats[slot] = (
            spec.format if spec is not None else _constant_format(slot, operands[slot], target)
        )
    return Case(
        name=name,
        layer=call.layer,
        primitive=call.primitive,
        attributes=call.attributes,
        operands=operands,
        constants=_constants(call.attributes, program.constants),
        formats={**formats, "output": entry.spec.format},
        expected=trace.tensors[entry.tensor],
    )


def _constant_format(slot: str, array: Array, target: Target) -> Format:
    """Return the target's format of a constant, or that of its container where it does not fit.

    The width of a register that holds weights is the target's, not that of the NumPy dtype.
    """
    from hw_models import FLOAT32, FixedFormat

    if array.dtype == FLOAT32.dtype:
        return FLOAT32
    stated = {"weight": target.weight.format, "bias": target.bias.format}
    wanted = stated.get(slot, target.input.format)
    if wanted.fits(array):
        return wanted
    return FixedFormat(array.dtype.itemsize * 8, array.dtype.kind == "i")


def _constants(value: Any, constants: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays that attributes name, however deep."""
    if isinstance(value, list):
        return _merged([_constants(item, constants) for item in value])
    if not isinstance(value, Mapping):
        return {}
    if set(value) == {"constant"}:
        return {value["constant"]: constants[value["constant"]]}
    return _merged([_constants(item, constants) for item in value.values()])


def _merged(parts: list[dict[str, Array]]) -> dict[str, Array]:
    return {name: array for part in parts for name, array in part.items()}

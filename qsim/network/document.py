"""The JSON document of a ``.qsim`` file: a network without its arrays, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from qsim.errors import ModelError
from qsim.network import lengths
from qsim.network.packed_weights import pack_weights, packed_shapes, unpack_weights
from qsim.network.states import State
from qsim.network.steps import HostOperator, Step, ValueSpec
from qsim.program import (
    Array,
    Call,
    Json,
    Program,
    TensorSpec,
    any_format_from_json,
    check_keys,
    format_to_json,
    is_int,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hw_models import FixedFormat, Format
    from qsim.network.data import Network
    from qsim.target import Target

N = TypeVar("N", bound="Network")
_FORMAT: Final = ("bits", "signed", "fraction", "narrow")
_VALUE: Final = ("name", "shape", "dtype", "scale", "zero_point", "format")
_TENSOR: Final = ("name", "shape", "format", "scale", "zero_point")
_STEP: Final = ("kind", "name", "inputs", "outputs", "attributes")
_CALL: Final = ("name", "layer", "primitive", "inputs", "output", "attributes")
PROGRAM: Final = ("name", "inputs", "outputs", "tensors", "constants", "calls")
STATEFUL: Final = "states"  # only where there are any
_STATE: Final = ("name", "value", "made")
_HOST: Final = ("operator", "layer", "reason")
_KIND: Final = ("kind", "lacks")  # older files say the words alone
NETWORK: Final = (
    *("target", "target_hash", "model", "inputs", "outputs", "steps", "programs"),
    *("constants", "host_operators", "structure"),
)
DIGEST: Final = "network_sha256"  # older files have none
LENGTHS: Final = "lengths"  # of networks whose sequences have no fixed length


def to_document(network: Network) -> tuple[dict[str, Json], dict[str, Array]]:
    """Return the document of a network and its arrays, by the names that the file uses."""
    arrays = {f"host/{name}": array for name, array in network.constants.items()}
    for index, program in enumerate(network.programs):
        stored = pack_weights(program, network.target)
        arrays |= {f"{index}/{name}": array for name, array in stored.items()}
    arrays |= {f"state/{index}": state.initial for index, state in enumerate(network.states)}
    document: dict[str, Any] = {
        "target": network.target.to_dict(),
        "target_hash": network.target.hash,
        "model": network.model,
        "inputs": [_fields(spec, _VALUE) for spec in network.inputs],
        "outputs": [_fields(spec, _VALUE) for spec in network.outputs],
        "steps": [_fields(step, _STEP) for step in network.steps],
        "programs": [
            program_item(program, packed_shapes(program, network.target))
            for program in network.programs
        ],
        "constants": sorted(network.constants),
        "host_operators": [_fields(item, (*_HOST, *_KIND)) for item in network.host_operators],
        "structure": network.structure,
        DIGEST: network.digest,
    }
    if network.lengths is not None:
        document[LENGTHS] = lengths.to_document(network.lengths)
    if network.states:
        document[STATEFUL] = [
            {"name": state.name, "value": _fields(state.value, _VALUE), "made": state.made}
            for state in network.states
        ]
    plain = {key: to_json(value) for key, value in document.items()}
    return plain, arrays


def program_item(program: Program, packed: Mapping[str, list[int]]) -> dict[str, Any]:
    """Return a Program's part of a document; packed: the shapes of constants stored packed."""
    return {
        "name": program.name,
        "inputs": program.inputs,
        "outputs": program.outputs,
        "tensors": [_fields(program.tensors[name], _TENSOR) for name in sorted(program.tensors)],
        "constants": sorted(program.constants),
        "calls": [_fields(call, _CALL) for call in program.calls],
        **({"packed": packed} if packed else {}),
        **({"states": program.states} if program.states else {}),
    }


def _fields(value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    result = {name: getattr(value, name) for name in names}
    form = result.get("format")
    if form is not None:
        fixed = hasattr(form, "fraction")
        result["format"] = (
            {name: getattr(form, name) for name in _FORMAT} if fixed else format_to_json(form)
        )
    return result


def from_document(
    document: Mapping[str, Any], arrays: Mapping[str, Array], make: Callable[..., N]
) -> N:
    """Return the network that a document and its arrays describe.

    Args:
        document: as :func:`to_document` writes it.
        arrays: likewise.
        make: what is made of the parts: a class of networks.

    Raises:
        QsimError: anything that is not as :func:`to_document` writes it.
    """
    check_keys(document, NETWORK, (DIGEST, LENGTHS, STATEFUL))
    target = _target(document)
    programs = _list(document["programs"], "programs")
    taken = {f"host/{name}" for name in _names(document["constants"], "constants")}
    built = []
    for index, item in enumerate(programs):
        check_keys(item, PROGRAM, ("packed", STATEFUL))
        names = _names(item["constants"], "a program's constants")
        taken |= {f"{index}/{name}" for name in names}
        stored = {name: _array(arrays, f"{index}/{name}") for name in names}
        built.append(build_program(item, unpack_weights(stored, item.get("packed", {}), target)))
    states = _list(document.get(STATEFUL, []), "states")
    taken |= {f"state/{index}" for index in range(len(states))}
    if taken != set(arrays):
        odd = min(taken ^ set(arrays))
        raise ModelError.of(
            "the arrays must be those that the document names", odd, "no more, no fewer"
        )
    network = make(
        target,
        [_value(item) for item in _list(document["inputs"], "inputs")],
        [_value(item) for item in _list(document["outputs"], "outputs")],
        [_step(item) for item in _list(document["steps"], "steps")],
        built,
        {name: _array(arrays, f"host/{name}") for name in document["constants"]},
        [_host(item) for item in _list(document["host_operators"], "host_operators")],
        document["model"],
        document["structure"],
        [_state(item, _array(arrays, f"state/{index}")) for index, item in enumerate(states)],
    )
    if LENGTHS in document:
        network.free(lengths.from_document(document[LENGTHS]))
    held = document.get(DIGEST)
    if DIGEST in document and network.digest != held:
        raise ModelError.of("the network must have its digest", held, network.digest)
    return network


def _target(document: Mapping[str, Any]) -> Target:
    from qsim.target import Target

    if not isinstance(document["target"], dict):
        raise ModelError.of("target must be an object", document["target"], "a target's fields")
    target = Target.from_dict(document["target"])
    if target.hash != document["target_hash"]:
        raise ModelError.of("the target must have its hash", document["target_hash"], target.hash)
    return target


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ModelError.of(f"{what} must be a list", value, "a list")
    return value


def _names(value: Any, what: str) -> list[str]:
    names = _list(value, what)
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise ModelError.of(f"{what} must be unique names", value, "unique names")
    return names


def _array(arrays: Mapping[str, Array], name: str) -> Array:
    if name not in arrays:
        raise ModelError.of("the file must hold every array that it names", name, "an array")
    return arrays[name]


def _format(value: Any) -> FixedFormat:
    from hw_models import ContractError, FixedFormat

    check_keys(value, _FORMAT)
    if not is_int(value["fraction"]) or abs(value["fraction"]) > 1 << 16:
        raise ModelError.of("fraction must be an integer", value["fraction"], "-65536..65536")
    try:
        return FixedFormat(**value)
    except (ContractError, TypeError) as error:
        raise ModelError(str(error)) from None


def _any_format(value: Mapping[str, Any]) -> Format:
    return any_format_from_json(value) if "float" in value else _format(value)


def _value(item: Any) -> ValueSpec:
    check_keys(item, _VALUE)
    codes = None if item["format"] is None else _format(item["format"])
    return ValueSpec(**{**item, "format": codes})


def _state(item: Any, initial: Array) -> State:
    check_keys(item, _STATE)
    return State(item["name"], _value(item["value"]), item["made"], initial)


def _host(item: Any) -> HostOperator:
    check_keys(item, _HOST, _KIND)
    return HostOperator(**item)


def _step(item: Any) -> Step:
    check_keys(item, _STEP)
    return Step(**item)


def build_program(item: Mapping[str, Any], constants: Mapping[str, Array]) -> Program:
    """Return the Program that :func:`program_item` describes, with its constants unpacked."""
    tensors: dict[str, TensorSpec] = {}
    for entry in _list(item["tensors"], "tensors"):
        check_keys(entry, _TENSOR)
        spec = TensorSpec(**{**entry, "format": _any_format(entry["format"])})
        if spec.name in tensors:
            raise ModelError.of("tensors must have unique names", spec.name, "unique names")
        tensors[spec.name] = spec
    calls = []
    for entry in _list(item["calls"], "calls"):
        check_keys(entry, _CALL)
        calls.append(Call(**entry))
    ends = item["name"], item["inputs"], item["outputs"]
    return Program(*ends, tensors, constants, tuple(calls), states=item.get(STATEFUL, ()))

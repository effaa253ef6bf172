"""A bundled program of one method per golden case, for sets that are no run of one network.

Each method is one delegate that holds the call: the operands that RTL would stream are its inputs,
weights and tables are in the delegate. Where the labels of the set go, ExecuTorch keeps
quantization parameters: in a method that takes nothing and returns a constant.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.errors import FileFormatError, UsageError
from qsim.executorch import adapter
from qsim.executorch.bundled.case import BundledCase
from qsim.executorch.bundled.file import bundle
from qsim.executorch.delegates import OURS, specs
from qsim.executorch.pte import dtype_names, flatbuffers, read_pte, schema_of
from qsim.golden import program_of
from qsim.network import Lowered, Step, ValueSpec, parse, to_bytes
from qsim.program import is_int

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qsim.executorch.pte.flatbuffers import Table
    from qsim.golden import Case, GoldenSet
    from qsim.program import Array, Program
    from qsim.target import Target

ABOUT: Final = "qsim.golden"
_ALIGN: Final = 16
_ALIGNMENT: Final = {"BackendDelegateInlineData.data": _ALIGN}
# As PT2E: unsigned codes of up to 31 bits live in int32.
_CONTAINERS: Final = {"uint16": "int32", "uint32": "int32"}


@dataclass(frozen=True, slots=True)
class About:
    """What a golden set says besides its calls, as in ``manifest.json``.

    Attributes:
        model, seed: of the set.
        classes: of every case by its name, in the order of the set.
    """

    model: str
    seed: int | None
    classes: Mapping[str, Mapping[str, int]]


def bundle_calls(golden: GoldenSet, names: Sequence[str] = ()) -> bytes:
    """Return a set as a bundle with a program of its own.

    Args:
        golden: the set.
        names: of the cases; all of them if empty.

    Raises:
        UsageError: no such case, or none at all; a case has the name of the method for the labels,
            or codes of 32 unsigned bits, for which qsim's delegates have no type.
        FileFormatError: a file of the set is damaged.
    """
    plans: list[Table] = []
    blobs: list[bytes] = []
    cases: list[BundledCase] = []
    for case in map(golden.case, names or golden.names):
        if case.name == ABOUT:
            raise UsageError(f"a case is named {ABOUT!r}", accepted="other names")
        lowered = _network(case, golden.target)
        arrays = [case.operands[name] for name in _free(case)]
        given = [_tensor(*pair, case) for pair in zip(arrays, lowered.inputs, strict=True)]
        made = _tensor(case.expected, lowered.outputs[0], case)
        plans.append(_plan(case.name, [*given, made], len(blobs), golden.target))
        blobs.append(to_bytes(lowered))
        cases.append(BundledCase(case.name, tuple(given), (made,)))
    if not cases:
        raise UsageError("it has no cases", where=str(golden.directory), accepted="one or more")
    kept = {case.method for case in cases}
    classes = {item.name: dict(item.classes) for item in golden.entries if item.name in kept}
    about = {"model": golden.model, "seed": golden.manifest["seed"], "classes": classes}
    plans.append(_constant(ABOUT, json.dumps(about)))
    return bundle(_program(plans, blobs), cases)


def read_about(program: bytes) -> About | None:
    """Return what ``bundle_calls`` wrote of a set besides its calls; None in other programs.

    Raises:
        FileFormatError: it is there and damaged.
    """
    for table in read_pte(program).root["execution_plan"]:
        if table["name"] == ABOUT:
            break
    else:
        return None
    entries = [entry["val"] for entry in table["values"]]
    text = entries[0][1].get("string_val") if entries and entries[0] else None
    found = parse((text or "").encode(), f"method {ABOUT} does not return JSON")
    if not _describes(found):
        raise FileFormatError(f"method {ABOUT} does not describe a golden set")
    return About(found["model"], found["seed"], found["classes"])


def _describes(found: Any) -> bool:
    if not isinstance(found, dict) or set(found) != {"model", "seed", "classes"}:
        return False
    seed, classes = found["seed"], found["classes"]
    return (
        isinstance(found["model"], str)
        and (seed is None or is_int(seed))
        and isinstance(classes, dict)
        and all(
            isinstance(counts, dict) and all(map(is_int, counts.values()))
            for counts in classes.values()
        )
    )


def _free(case: Case) -> list[str]:
    """Return the operands of a case that its call reads as tensors, not as constants."""
    from qsim.program import PRIMITIVES

    return [name for name in case.operands if name not in PRIMITIVES[case.primitive].constant]


def _network(case: Case, target: Target) -> Lowered:
    program = program_of(case)
    inputs = tuple(_value(program, name) for name in program.inputs)
    outputs = tuple(_value(program, name) for name in program.outputs)
    step = Step("program", "call", program.inputs, program.outputs, {"program": 0})
    return Lowered(target, inputs, outputs, [step], [program], model=case.name)


def _value(program: Program, name: str) -> ValueSpec:
    spec = program.tensors[name]
    return ValueSpec(name, spec.shape, str(spec.format.dtype), format=spec.codes)


def _tensor(array: Array, spec: ValueSpec, case: Case) -> torch.Tensor:
    if spec.format is not None and not spec.format.signed and spec.format.bits >= 32:
        raise UsageError(
            f"case {case.name!r} has unsigned codes of {spec.format.bits} bits",
            accepted="up to 31 bits, or signed ones",
        )
    return torch.from_numpy(array.astype(_CONTAINERS.get(spec.dtype, spec.dtype), order="C"))


def _plan(name: str, tensors: Sequence[torch.Tensor], blob: int, target: Target) -> Table:
    """Return a method that is one call of a delegate: all tensors but the last are its inputs."""
    values, offset = [], 0
    for tensor in tensors:
        values.append(_planned(tensor, offset))
        offset += -(-tensor.nbytes // _ALIGN) * _ALIGN
    args = range(len(tensors))
    call = {"delegate_index": 0, "args": args}
    options = [{"key": key, "value": value} for key, value in specs.encode(target).items()]
    return {
        "name": name,
        "values": values,
        "inputs": args[:-1],
        "outputs": args[-1:],
        "chains": [{"instructions": [{"instr_args": ("DelegateCall", call)}]}],
        "operators": [],
        "delegates": [
            {
                "id": OURS,
                "processed": {"location": "INLINE", "index": blob},
                "compile_specs": options,
            }
        ],
        "non_const_buffer_sizes": [0, offset],
    }


def _planned(tensor: torch.Tensor, offset: int) -> Table:
    place = {
        "memory_id": 1,
        "memory_offset_low": offset % (1 << 32),
        "memory_offset_high": offset >> 32,
    }
    table = {
        "scalar_type": dtype_names()[tensor.dtype],
        "sizes": tuple(tensor.shape),
        "dim_order": bytes(range(tensor.dim())),
        "allocation_info": place,
    }
    return {"val": ("Tensor", table)}


def _constant(name: str, text: str) -> Table:
    """Return a method that takes nothing and returns a text."""
    return {
        "name": name,
        "values": [{"val": ("String", {"string_val": text})}],
        "inputs": [],
        "outputs": [0],
        "chains": [{"instructions": []}],
        "operators": [],
        "delegates": [],
        "non_const_buffer_sizes": [0],
    }


def _program(plans: list[Table], blobs: list[bytes]) -> bytes:
    root = {
        "version": adapter.PROGRAM_VERSION,
        "execution_plan": plans,
        "constant_buffer": [],
        "backend_delegate_data": [{"data": blob} for blob in blobs],
        "segments": [],
    }
    return flatbuffers.write(root, schema_of("program"), _ALIGNMENT)

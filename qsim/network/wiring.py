"""How the steps of a network fit together: names, order, programs and formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qsim.errors import ModelError
from qsim.network.hostops import check_torch_step, references
from qsim.network.steps import FORMULAS, Step
from qsim.network.structure import check_structure
from qsim.program import check_keys, check_name, check_scale, format_from_json, is_int

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hw_models import FixedFormat
    from qsim.network.data import Network
    from qsim.network.steps import ValueSpec
    from qsim.program import Program


def check_network(network: Network) -> None:
    """Check names, order, programs and formats of a network.

    Raises:
        ModelError: naming the step, value or program.
    """
    if not isinstance(network.model, str) or (network.model and not network.model.isprintable()):
        raise ModelError.of("the model's name must be printable", network.model, "text")
    _check_constants(network)
    known: dict[str, FixedFormat | None] = {}
    for spec in network.inputs:
        _add(known, spec.name, spec.format or _integers(spec), f"input {spec.name!r}")
    names: set[str] = set()
    for step in network.steps:
        if step.name in names:
            raise ModelError(f"two steps are named {step.name!r}", accepted="unique names")
        names.add(step.name)
        _check_step(network, step, known)
    _check_outputs(network, known)
    if len({program.name for program in network.programs}) != len(network.programs):
        raise ModelError("two programs have one name", accepted="unique names")


def _integers(spec: ValueSpec) -> FixedFormat | None:
    """Return what integers and bools hold that stand for themselves; None for floats."""
    from hw_models import FixedFormat

    if spec.dtype == "bool":
        return FixedFormat(1, signed=False)
    if spec.dtype.lstrip("u")[:3] != "int":
        return None
    return FixedFormat(8 * np.dtype(spec.dtype).itemsize, signed=spec.dtype[0] != "u")


def _check_constants(network: Network) -> None:
    for name, array in network.constants.items():
        check_name(name, "a constant's name")
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "iufb":
            raise ModelError.of(
                f"constant {name!r} must be an array", type(array).__name__, "numbers"
            )
    for item in network.host_operators:
        texts = tuple(dict(item).values())
        if not all(isinstance(t, str) and (not t or t.isprintable()) for t in texts):
            raise ModelError.of("a host operator's record must be text", texts, "printable text")


def _add(
    known: dict[str, FixedFormat | None], name: str, codes: FixedFormat | None, where: str
) -> None:
    if name in known:
        raise ModelError("the value is defined twice", where=where, accepted="unique names")
    known[name] = codes


def _check_outputs(network: Network, known: Mapping[str, FixedFormat | None]) -> None:
    if not network.outputs:
        raise ModelError("a network must have an output", accepted="one or more")
    for spec in network.outputs:
        if spec.name not in known:
            raise ModelError.of(
                "nothing makes the output", spec.name, "a value of an input or step"
            )
    check_structure(network.structure, len(network.outputs))


def _check_step(network: Network, step: Step, known: dict[str, FixedFormat | None]) -> None:
    where = f"step {step.name!r} ({step.kind})"
    for name in step.inputs:
        if name not in known:
            raise ModelError(
                f"nothing makes {name!r} before it is used", where=where, accepted="earlier values"
            )
    try:
        made = _CHECKS[step.kind](network, step, known)
    except ModelError as error:
        place = f"{where} {error.where}".strip()
        raise ModelError(error.message, where=place, accepted=error.accepted) from None
    for name, codes in zip(step.outputs, made, strict=True):
        _add(known, name, codes, f"{where} output {name!r}")


def _one_to_one(step: Step) -> None:
    if len(step.inputs) != 1 or len(step.outputs) != 1:
        raise ModelError.of(
            "takes one value and makes one", (step.inputs, step.outputs), "one, one"
        )


def _check_affine(step: Step, codes: FixedFormat) -> None:
    check_scale(step.attributes["scale"], "attributes")
    zero_point = step.attributes["zero_point"]
    if not is_int(zero_point) or not codes.fits(zero_point):
        raise ModelError.of("zero_point must be a code", zero_point, f"{codes.min}..{codes.max}")
    if codes.bits > 32:
        raise ModelError.of("output must be a format of an operand", codes.bits, "bits 1..32")


def _check_quantize(
    network: Network, step: Step, known: Mapping[str, FixedFormat | None]
) -> list[FixedFormat | None]:
    del network
    _one_to_one(step)
    attributes = step.attributes
    check_keys(attributes, ("scale", "zero_point", "output", "formula"))
    if known[step.inputs[0]] is not None:
        raise ModelError.of("takes float values, not codes", step.inputs[0], "a float value")
    if attributes["formula"] not in FORMULAS:
        raise ModelError.of(
            "formula must be one of its names", attributes["formula"], ", ".join(FORMULAS)
        )
    codes = format_from_json(attributes["output"])
    _check_affine(step, codes)
    return [codes]


def _check_dequantize(
    network: Network, step: Step, known: Mapping[str, FixedFormat | None]
) -> list[FixedFormat | None]:
    del network
    _one_to_one(step)
    attributes = step.attributes
    check_keys(attributes, ("scale", "zero_point", "output"), ("formula",))
    found = known[step.inputs[0]]
    codes = format_from_json(attributes["output"])
    if found is None or found.min < codes.min or found.max > codes.max:
        raise ModelError.of("takes codes of its format", found, str(codes))
    _check_affine(step, codes)
    return [None]


def _check_program(
    network: Network, step: Step, known: Mapping[str, FixedFormat | None]
) -> list[FixedFormat | None]:
    from hw_models import FixedFormat

    check_keys(step.attributes, ("program",))
    index = step.attributes["program"]
    if not is_int(index) or not 0 <= index < len(network.programs):
        raise ModelError.of("program must be an index", index, f"0..{len(network.programs) - 1}")
    program: Program = network.programs[index]
    made_in_torch = {n for each in network.steps if each.kind == "torch" for n in each.outputs}
    wanted = (len(program.inputs), len(program.outputs))
    if (len(step.inputs), len(step.outputs)) != wanted:
        raise ModelError.of(
            "takes and makes what its program does", (step.inputs, step.outputs), str(wanted)
        )
    for name, inner in zip(step.inputs, program.inputs, strict=True):
        found, wanted_form = known[name], program.tensors[inner].format
        if not isinstance(wanted_form, FixedFormat):
            if found is not None:
                raise ModelError.of(
                    f"{name!r} must hold float32 values, as the program's input", found, "float32"
                )
        elif found is None and name in made_in_torch and program.tensors[inner].scale is None:
            continue  # integers that the Program checks when it runs
        elif found is None or found.min < wanted_form.min or found.max > wanted_form.max:
            raise ModelError.of(
                f"{name!r} must hold codes of the program's input", found, str(wanted_form)
            )
    made = [program.tensors[inner].format for inner in program.outputs]
    return [form if isinstance(form, FixedFormat) else None for form in made]


def _check_torch(
    network: Network, step: Step, known: Mapping[str, FixedFormat | None]
) -> list[FixedFormat | None]:
    del known
    check_torch_step(step.attributes)
    if len(step.outputs) != 1:
        raise ModelError.of("makes one value", step.outputs, "one; getitem takes it apart")
    used = references(step.attributes)
    if set(used) != set(step.inputs) or len(step.inputs) != len(used):
        raise ModelError.of("inputs must be the values that args use", step.inputs, ", ".join(used))
    for name in references(step.attributes, "constant"):
        if name not in network.constants:
            raise ModelError.of("must name a constant of the network", name, "one of its constants")
    return [None]


_CHECKS = {
    "quantize": _check_quantize,
    "dequantize": _check_dequantize,
    "program": _check_program,
    "torch": _check_torch,
}

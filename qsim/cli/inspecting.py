"""``qsim inspect``: what a file holds, without running it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.text import Text

from qsim.cli.inspect_memory import draw_memory, memory_document, memory_map
from qsim.cli.listing import add_row, plain_table, target_fields
from qsim.cli.npy import shape_text
from qsim.cli.output import quiet
from qsim.cli.program_names import is_executorch
from qsim.errors import UsageError
from qsim.report import NONE, by_reason, count, host_parts, plural, short_hash

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from hw_models import FixedFormat, Format
    from qsim.cli.output import Output
    from qsim.network import Lowered, ValueSpec
    from qsim.program import Program

_ACCEPTED = "a .qsim, .pt2, .pte, .bpte or target .toml file"


def inspect_file(
    path: Path, output: Output, picture: Path | None = None, delegate: int | None = None
) -> None:
    """Print what a file holds.

    Args:
        path: of the file.
        output: where to print.
        picture: a .png or .svg file to draw the memory in; for a file with a Program.
        delegate: of a ``.pte``, whose memory is shown and drawn; None for the only one.

    Raises:
        UsageError: not a kind of file that qsim reads, or it has no such thing to show or draw.
        QsimError: the file is damaged or not what its name promises.
    """
    if picture is not None:
        _check_picture(path, picture)
    if delegate is not None and not is_executorch(path.name):
        raise UsageError(
            f"{path} is not an ExecuTorch program", where="--delegate", accepted="a .pte file"
        )
    match path.suffix:
        case ".toml":
            _inspect_target(path, output)
        case ".qsim":
            from qsim.cli.build import load_network

            with quiet(output):
                lowered = load_network(path)
            drawn = None if picture is None else draw_memory(lowered, picture)
            _inspect_lowered(path, lowered, output, drawn)
        case ".pt2":
            _inspect_pt2(path, output)
        case ".pte" | ".bpte":
            from qsim.cli.pte import inspect_pte

            inspect_pte(path, output, picture, delegate)
        case suffix:
            what = f"a {suffix} file" if suffix else "a name without a suffix"
            raise UsageError(f"cannot inspect {what}", where=str(path), accepted=_ACCEPTED)


def _check_picture(path: Path, picture: Path) -> None:
    from qsim.stream import check_picture

    if path.suffix != ".qsim" and not is_executorch(path.name):
        raise UsageError(
            f"{path} has no memory to draw", where="--memory", accepted="a .qsim or .pte file"
        )
    check_picture(picture)


def _inspect_target(path: Path, output: Output) -> None:
    from qsim.target import Target

    target = Target.load(path)
    output.text(*target_fields(target))
    output.json(
        {"file": str(path), "kind": "target", "target": target.to_dict() | {"hash": target.hash}}
    )


def _inspect_pt2(path: Path, output: Output) -> None:
    from qsim.quantizer import Quantized, load_pt2
    from qsim.quantizer.prequantized import holds_codes

    with quiet(output):
        loaded: Any = load_pt2(path)
    if not isinstance(loaded, Quantized):
        operators = Counter(
            str(node.target) for node in loaded.graph.nodes if node.op == "call_function"
        )
        kind = "Q/DQ graph" if holds_codes(loaded.graph) else "float graph"
        _print_graph(path, kind, None, operators, output)
        return
    operators = Counter(
        str(node.target) for node in loaded.graph.graph.nodes if node.op == "call_function"
    )
    recorded = None if loaded.recorded is None else loaded.recorded.digest
    _print_graph(path, "Q/DQ graph", loaded.target, operators, output, recorded)


def _print_graph(
    path: Path,
    kind: str,
    target: Any,
    operators: Counter[str],
    output: Output,
    network: str | None = None,
) -> None:
    title = Text(str(path), "bold").append(f" · {kind}")
    if target is not None:
        title.append(f" for {target.name} ").append(target.short_hash, "cyan")
    table = plain_table("operator", "nodes")
    table.columns[1].justify = "right"
    for name, number in operators.most_common():
        add_row(table, name, count(number))
    output.text(title, *([] if network is None else [_digest(network)]), table)
    output.json(
        {
            "file": str(path),
            "kind": kind,
            "network_sha256": network,
            "target": None if target is None else {"name": target.name, "hash": target.hash},
            "operators": dict(operators.most_common()),
        }
    )


def _inspect_lowered(path: Path, lowered: Lowered, output: Output, drawn: str | None) -> None:
    target = lowered.target
    title = Text(str(path), "bold")
    title.append(f" · {lowered.model} on ").append(target.name, "bold")
    title.append(f" {short_hash(target.hash)}", "cyan")
    parts: list[RenderableType] = [title, Text(f"{path.stat().st_size:,} bytes", "dim")]
    parts.append(_digest(lowered.digest))
    parts.append(_boundary(lowered))
    for program in lowered.programs:
        held = sum(array.nbytes for array in program.constants.values())
        head = Text("program ").append(program.name, "bold")
        head.append(f": {plural(len(program.calls), 'call')}, {held:,} bytes of constants")
        parts += [head, _calls(program), *memory_map(program.allocate(), _unit(lowered))]
    operators = [dict(item) for item in lowered.host_operators]
    if not operators:
        parts.append(Text("Everything runs on the accelerator; no host operators."))
    else:
        number = plural(len(operators), "operator")
        parts.append(Text(f"{number} on the host, in torch, by reason:"))
    parts += host_parts(by_reason(operators, target), indent=2)
    if drawn is not None:
        parts.append(Text(drawn))
    output.text(*parts)
    output.json(_document(path, lowered))


def _digest(value: str) -> Text:
    return Text(f"network sha256:{value}", no_wrap=True, overflow="ellipsis")


def _boundary(lowered: Lowered) -> RenderableType:
    table = plain_table("", "name", "shape", "dtype", "scale", "zero point", "codes")
    kept = tuple(state.value for state in lowered.states)
    for side, specs in (("input", lowered.inputs), ("state", kept), ("output", lowered.outputs)):
        for spec in specs:
            value = _value(spec, lowered)
            scale = NONE if value["scale"] is None else f"{value['scale']:.9g}"
            zero = NONE if value["scale"] is None else str(value["zero_point"])
            codes = NONE if value["codes"] is None else "{}..{}".format(*value["codes"])
            shape = _sizes(spec)
            add_row(table, side, spec.name, shape, spec.dtype, scale, zero, codes)
    return table


def _sizes(spec: ValueSpec) -> str:
    """Return a shape, with the bounds of what follows from the length of a sequence."""
    shape: list[int | str] = list(spec.shape)
    for axis, least, most in spec.free:
        shape[axis] = f"{least}..{most}"
    return shape_text(shape)


def _unit(lowered: Lowered) -> str:
    """Return what the memory is planned for."""
    if lowered.lengths is None:
        return "one sample"
    return f"one sample of length {lowered.lengths.most}, the greatest"


def _calls(program: Program) -> RenderableType:
    table = plain_table("call", "primitive", "layer", "output", "bits", "constants")
    table.columns[4].justify = table.columns[5].justify = "right"
    for call in program.calls:
        spec = program.tensors[call.output]
        add_row(
            table,
            call.name,
            call.primitive,
            call.layer,
            shape_text(spec.shape),
            _width(spec.format),
            count(_constant_bytes(program, call)) or NONE,
        )
    return table


def _width(form: Format) -> str:
    """Return the width of a format as the table shows it: ``8``, ``u8``, ``f32``."""
    kind = "f" if form.dtype.kind == "f" else "" if form.signed else "u"
    return f"{kind}{form.bits}"


def _constant_bytes(program: Program, call: Any) -> int:
    names = {name for name in call.inputs if name in program.constants}
    names |= set(_references(dict(call.attributes)))
    return sum(program.constants[name].nbytes for name in names if name in program.constants)


def _references(value: Any) -> list[str]:
    """Return the names in every ``{"constant": name}`` of a JSON tree."""
    if isinstance(value, dict):
        own = [str(value["constant"])] if set(value) == {"constant"} else []
        return own + [name for item in value.values() for name in _references(item)]
    if isinstance(value, list):
        return [name for item in value for name in _references(item)]
    return []


def _document(path: Path, lowered: Lowered) -> dict[str, Any]:
    return {
        "file": str(path),
        "kind": "network",
        "model": lowered.model,
        "network_sha256": lowered.digest,
        "target": {"name": lowered.target.name, "hash": lowered.target.hash},
        "inputs": [_value(spec, lowered) for spec in lowered.inputs],
        "outputs": [_value(spec, lowered) for spec in lowered.outputs],
        **_lengths(lowered),
        **_states(lowered),
        "programs": [
            {
                "name": program.name,
                "constants_bytes": sum(array.nbytes for array in program.constants.values()),
                "calls": [
                    {
                        "name": call.name,
                        "primitive": call.primitive,
                        "layer": call.layer,
                        "inputs": list(call.inputs),
                        "output": call.output,
                        "shape": list(program.tensors[call.output].shape),
                        "bits": program.tensors[call.output].format.bits,
                        "signed": program.tensors[call.output].format.signed,
                        "dtype": str(program.tensors[call.output].format.dtype),
                        "constants_bytes": _constant_bytes(program, call),
                    }
                    for call in program.calls
                ],
                "memory": memory_document(program.allocate()),
            }
            for program in lowered.programs
        ],
        "host_operators": [dict(item) for item in lowered.host_operators],
    }


def _lengths(lowered: Lowered) -> dict[str, Any]:
    if lowered.lengths is None:
        return {}
    return {"lengths": {"least": lowered.lengths.least, "most": lowered.lengths.most}}


def _states(lowered: Lowered) -> dict[str, Any]:
    """Return what the network keeps from step to step, where it keeps something."""
    found = [{**_value(each.value, lowered), "buffer": each.name} for each in lowered.states]
    return {"states": found} if found else {}


def _value(spec: ValueSpec, lowered: Lowered) -> dict[str, Any]:
    """Return what is known of an input or output, the codes behind a float one included."""
    scale, zero_point, form = spec.scale, spec.zero_point, spec.format
    if scale is None:
        scale, zero_point, form = _boundary_codes(spec.name, lowered)
    return {
        "name": spec.name,
        "shape": list(spec.shape),
        **({"free": [list(each) for each in spec.free]} if spec.free else {}),
        "dtype": spec.dtype,
        "scale": scale,
        "zero_point": zero_point if scale is not None else None,
        "codes": None if form is None or scale is None else [form.min, form.max],
    }


def _boundary_codes(name: str, lowered: Lowered) -> tuple[float | None, int, FixedFormat | None]:
    """Return scale, zero point and format of the step that quantizes or dequantizes a value."""
    from qsim.program import format_from_json

    for step in lowered.steps:
        into = step.kind == "quantize" and name in step.inputs
        if into or (step.kind == "dequantize" and name in step.outputs):
            held: Any = step.attributes
            return float(held["scale"]), int(held["zero_point"]), format_from_json(held["output"])
    return None, 0, None

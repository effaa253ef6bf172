"""``qsim inspect net.pte``: what an ExecuTorch program holds, without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.text import Text

from qsim.cli.listing import add_row, plain_table
from qsim.cli.pte import facts
from qsim.cli.pte.contents import constant_bytes, read
from qsim.cli.pte.facts import Parameters
from qsim.cli.pte.memory import Wanted, draw, memory_parts, programs_document
from qsim.cli.pte.tables import delegates, operators_outside
from qsim.executorch.pte import TensorSpec
from qsim.report import words

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from qsim.cli.output import Output
    from qsim.cli.pte.contents import Contents
    from qsim.executorch.pte import Method, Value


def inspect_pte(
    path: Path, output: Output, picture: Path | None = None, delegate: int | None = None
) -> None:
    """Print what an ExecuTorch program holds.

    Args:
        path: a ``.pte`` or a ``.bpte``.
        output: where to print.
        picture: a .png or .svg file to draw the memory of a delegate in.
        delegate: which one; None for the only one.

    Raises:
        QsimError: it is damaged, or of another version, or has no such delegate.
    """
    from qsim.cli.output import quiet

    with quiet(output):
        found = read(path)
    wanted = Wanted.of(found, delegate)
    drawn = None if picture is None else draw(found, wanted, picture)
    if output.as_json:
        output.json(_document(found))
        return
    parts: list[RenderableType] = [_title(found)]
    for method in found.own():
        parts += _method(found, method, wanted)
    if stated := found.stated():
        table = plain_table("constant method", "value")
        for name, value in stated.items():
            add_row(table, name, repr(value))
        parts.append(table)
    if drawn is not None:
        parts.append(Text(drawn))
    output.text(*parts)


def _title(found: Contents) -> Text:
    kind = "bundled program" if found.path.suffix == ".bpte" else "ExecuTorch program"
    text = Text(str(found.path), "bold", overflow="ellipsis", no_wrap=True)
    return text.append(f" · {kind}, {found.size:,} bytes", "not bold")


def _method(found: Contents, method: Method, wanted: Wanted) -> list[RenderableType]:
    parts: list[RenderableType] = [Text("method ").append(method.name, "bold")]
    parts.append(_boundary(found, method))
    if found.parts[method.name]:
        parts.append(delegates(found.parts[method.name]))
    parts += operators_outside(method)
    lines = [_memory_line(method)]
    held, away = constant_bytes(method)
    lines.append(f"Constants outside delegates: {held:,} bytes")
    if away:
        lines.append(
            f"{words.plural(away, 'byte')} of constants are not in the file: give --data F.ptd "
            f"with {', '.join(dict.fromkeys(found.absent))}"
        )
    if found.path.suffix == ".bpte":
        lines.append(words.plural(found.cases.get(method.name, 0), "test case"))
    parts += [Padding(Text(line), (0, 0, 0, 2)) for line in lines]
    return [*parts, Text(), *memory_parts(found.parts[method.name], wanted)]


def _memory_line(method: Method) -> str:
    # Memory 0 is not the plan's.
    sizes = list(enumerate(method.arenas))[1:]
    if not sizes:
        return "Planned memory: none"
    listed = ", ".join(f"{size:,} bytes in memory {at}" for at, size in sizes)
    return f"Planned memory: {listed}"


def _boundary(found: Contents, method: Method) -> RenderableType:
    table = plain_table("", "", "dtype", "shape", "scale", "zero point", "codes")
    for entry in _values(found, method):
        codes = words.NONE if entry["codes"] is None else "{}..{}".format(*entry["codes"])
        scale = words.NONE if entry["scale"] is None else f"{entry['scale']:.9g}"
        zero = words.NONE if entry["zero_point"] is None else str(entry["zero_point"])
        place = (entry["side"], str(entry["position"]))
        if entry["shape"] is None:
            add_row(table, *place, "always", entry["value"], scale, zero, codes)
        else:
            shape = f"({', '.join(map(str, entry['shape']))})"
            shown = f"up to {shape}" if entry["dynamic"] else shape
            add_row(table, *place, entry["dtype"], shown, scale, zero, codes)
    return table


def _values(found: Contents, method: Method) -> list[dict[str, Any]]:
    stated = facts.parameters(found.methods, method.name)
    return [
        _value(method.values[index], stated.get((side, position), Parameters()))
        | {"side": side, "position": position}
        for side, indices in (("input", method.inputs), ("output", method.outputs))
        for position, index in enumerate(indices)
    ]


def _value(value: Value, stated: Parameters) -> dict[str, Any]:
    if not isinstance(value, TensorSpec):
        plain = {"dtype": type(value).__name__, "shape": None, "dynamic": False}
        return plain | {"value": repr(value)} | stated.to_dict()
    return {
        "dtype": str(value.dtype).removeprefix("torch."),
        "shape": list(value.sizes),
        "dynamic": value.dynamic,
    } | stated.to_dict()


def _document(found: Contents) -> dict[str, Any]:
    return {
        "file": str(found.path),
        "kind": "bundled program" if found.path.suffix == ".bpte" else "program",
        "bytes": found.size,
        "methods": [_described(found, method) for method in found.own()],
        "constant_methods": found.stated(),
        "external_data": list(dict.fromkeys(found.absent)),
    }


def _described(found: Contents, method: Method) -> dict[str, Any]:
    values = _values(found, method)
    held, away = constant_bytes(method)
    described = {
        "name": method.name,
        "inputs": [entry for entry in values if entry["side"] == "input"],
        "outputs": [entry for entry in values if entry["side"] == "output"],
        "delegates": [
            part.to_dict() | {"programs": programs_document(part)}
            for part in found.parts[method.name]
        ],
        "operators": facts.outside(method),
        "planned_memory": {str(at): size for at, size in list(enumerate(method.arenas))[1:]},
        "constants_bytes": held,
        "external_bytes": away,
    }
    if found.path.suffix == ".bpte":
        described["cases"] = found.cases.get(method.name, 0)
    return described

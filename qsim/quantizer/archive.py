"""The members of a ``.pt2`` archive, read and checked before torch sees any of them.

What is refused, and why, is said in ``qsim.quantizer.pt2``.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import TYPE_CHECKING, Any, Final

from qsim import files
from qsim.errors import FileFormatError
from qsim.registry import entry_points
from qsim.registry import patterns as registry

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

ACCEPTED: Final = "a .pt2 file that torch.export.save or qsim wrote, undamaged"
_MEMBERS: Final = re.compile(
    r"archive_format|archive_version|byteorder|version|\.data/version|\.data/serialization_id"
    r"|\.format_version|\.storage_alignment"
    r"|models/\w+\.json|data/sample_inputs/\w+\.pt|extra/[\w.-]+"
    r"|data/weights/(weight_\d+|\w+_weights_config\.json)"
    r"|data/constants/(tensor_\d+|\w+_constants_config\.json)"
)
_OPERATORS: Final = re.compile(
    r"torch\.ops\.(aten|quantized_decomposed)\.(?!from_file\b)\w+\.\w+"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_)"
    r"|math\.(ceil|floor|trunc)|torch\.sym_(max|min|not|float|int|ite|sum)"
)
_LIBRARY: Final = re.compile(r"torch\.ops\.(\w+)\.(\w+\.\w+)")
_SYMBOL: Final = re.compile(r"Symbol\('([su]\d{1,9})'(, (positive|integer|nonnegative)=True)*\)")
_FUNCTIONS: Final = (
    "FloorDiv|PythonMod|Mod|CleanDiv|CeilToInt|FloorToInt|CeilDiv|IntTrueDiv|TruncToInt|Max|Min"
    "|Integer|Add|Mul|Eq|Ne|Lt|Le|Gt|Ge"
)
_TERM: Final = re.compile(
    rf"\s*(?:(?:{_FUNCTIONS})(?=\()|[su]\d{{1,9}}\b|\d{{1,18}}\b"
    r"|Pow\([su]\d{1,9}, Integer\([23]\)\)(?!\s*\*\*)"
    r"|\*\*\s*[23]\b(?!\s*\*\*)|[-+*/(),](?!\*)|[<>=]=?)"
)


def read_members(source: str | os.PathLike[str] | bytes, where: str) -> dict[str, bytes]:
    """Return every member by its name inside the archive's one folder, CRC checked.

    Args:
        source: a file's path, or its bytes.
        where: what errors call it.
    """
    try:
        data = source if isinstance(source, bytes) else files.read(source, accepted=ACCEPTED)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            roots = {info.filename.split("/")[0] for info in infos}
            names = [info.filename.partition("/")[2] for info in infos]
            require(len(roots) == 1, f"has {len(roots)} folders at its top")
            require(len(set(names)) == len(names), "has one name twice")
            for name, info in zip(names, infos, strict=True):
                require(
                    _MEMBERS.fullmatch(name) is not None,
                    f"holds {name[:80]!r}, which is code, a pickled object, or unknown",
                )
                require(info.compress_type == zipfile.ZIP_STORED, "holds compressed members")
            return {n: archive.read(info) for n, info in zip(names, infos, strict=True)}
    except FileFormatError as error:
        raise FileFormatError.placed(error, where) from None
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise FileFormatError(
            f"is not an undamaged zip archive: {str(error)[:120]}", where=where, accepted=ACCEPTED
        ) from None


def check_members(members: dict[str, bytes]) -> None:
    """Refuse what torch would evaluate, and take out of the graphs what is not needed."""
    require(any(name.startswith("models/") for name in members), "holds no program")
    for name, data in list(members.items()):
        if name.endswith("_config.json"):
            _check_config(table(json.loads(data)))
        elif name.startswith("models/"):
            document = table(json.loads(data))
            _check_graph(document)
            members[name] = json.dumps(document).encode()
        elif name.startswith("data/sample_inputs/"):
            _check_tensors(name, data)


def require(ok: bool, message: str, accepted: str = ACCEPTED) -> None:
    """Raise FileFormatError unless ok."""
    if not ok:
        raise FileFormatError(message, accepted=accepted)


def table(value: object) -> dict[str, Any]:
    """Return a JSON object as what it is, or raise FileFormatError."""
    require(isinstance(value, dict), f"holds a {type(value).__name__} where a table belongs")
    return value  # type: ignore[return-value]  # require has checked it


def _check_config(config: Mapping[str, Any]) -> None:
    for name, payload in table(config.get("config")).items():
        kept = table(payload)
        require(
            kept.get("use_pickle") is False
            and re.fullmatch(r"(weight|tensor)_\d+", str(kept.get("path_name"))) is not None,
            f"holds {name[:80]!r} as a pickled object, whose loading could run code",
        )


def _check_tensors(name: str, data: bytes) -> None:
    import torch

    try:
        torch.load(io.BytesIO(data), weights_only=True)
    except Exception:  # whatever it is, torch would go on without weights_only
        raise FileFormatError(
            f"holds {name!r} with more than tensors, whose loading could run code",
            accepted=ACCEPTED,
        ) from None


def _check_graph(document: dict[str, Any]) -> None:
    # Guards are Python source; checking shapes is our own business.
    document["guards_code"] = []
    graph = table(table(document.get("graph_module")).get("graph"))
    for node in graph.get("nodes", ()):
        entry = table(node)
        target = str(entry.get("target"))
        require(
            _OPERATORS.fullmatch(target) is not None or _is_extension(target),
            f"calls {target[:80]!r}",
            "operators of aten, quantized_decomposed and registered extensions",
        )
        stack = table(entry.get("metadata")).get("nn_module_stack")
        entry["metadata"] = {} if stack is None else {"nn_module_stack": stack}
    for symbol in table(document.get("range_constraints")):
        require(re.fullmatch(r"[su]\d{1,9}", symbol) is not None, f"names a symbol {symbol[:40]!r}")
    for key, value in _walk(document):
        if key in ("expr_str", "as_sym_expr") or (key == "as_expr" and isinstance(value, str)):
            _check_expression(value)
        require(
            key not in ("as_graph", "as_custom_obj", "as_script_object") or value is None,
            "holds a subgraph or an object",
        )


def _is_extension(target: str) -> bool:
    """Return whether a registered pattern claims the operator; none is looked up by its name."""
    match = _LIBRARY.fullmatch(target)
    if match is None:
        return False
    entry_points.load()
    return registry.claimed(f"{match[1]}::{match[2]}")


def _walk(value: object) -> Iterator[tuple[str, object]]:
    """Give every key and value of nested tables, without recursion."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield from item.items()
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)


def _check_expression(value: object) -> None:
    """Let through arithmetic on symbols, numbers and the functions that shapes use."""
    text = _SYMBOL.sub(r"\1", value) if isinstance(value, str) else "?"
    position = 0
    while position < len(text) <= 2000:
        term = _TERM.match(text, position)
        if term is None:
            break
        position = term.end()
    require(position == len(text), f"has the shape {str(value)[:60]!r}", "arithmetic on symbols")

"""``.pt2`` files of quantized and float networks, loaded; ``saving`` writes them.

A file is what ``torch.export.save`` writes: a zip of JSON graphs and raw tensor bytes. ``save_pt2``
adds the float graph as a second program and ``extra/qsim_target.json``: the target and node names.

torch's own loader trusts the file. In torch 2.13 it

* unpickles weights and constants whose config says ``use_pickle`` (``weights_only=False``), opaque
  objects (``pickle.loads``) and script objects,
* unpickles the sample inputs, first with ``weights_only=True`` and, when that fails, without,
* runs shapes' expressions through ``sympy.sympify``, which is ``eval``,
* resolves an operator's name by walking from ``torch`` to any attribute,
* loads compiled libraries from ``data/aotinductor``.

So ``load_pt2`` never hands the file itself to torch. It reads every member (names from a list,
stored without compression, no name twice, CRC correct), refuses whatever would need one of the
above, drops metadata that it does not need, and gives torch a new archive, in memory, of what it
has checked.
"""

from __future__ import annotations

import copyreg
import dataclasses
import io
import json
import re
import zipfile
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import FileFormatError, QsimError, told
from qsim.program import is_int
from qsim.quantizer.archive import ACCEPTED, check_members, read_members, require, table
from qsim.quantizer.limits import Raised
from qsim.quantizer.quantized import Quantized, Recorded
from qsim.quantizer.results import in_order
from qsim.quantizer.saving import EXTRA, FORMAT, to_bytes
from qsim.registry import KINDS, Reason

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from torch.export import ExportedProgram
    from torch.fx import GraphModule


_FACTORIES: Final = frozenset(
    ["arange", "empty", "eye", "full", "linspace", "ones", "scalar_tensor", "zeros", "sym_size"]
)


def load_pt2(path: str | os.PathLike[str]) -> Quantized | ExportedProgram:
    """Read a ``.pt2`` file. Nothing in it is executed, and nothing is unpickled but tensors.

    Returns:
        A ``Quantized`` for a file of ``save_pt2``, bit-identical to what was saved; for another
        its exported program, float or converted by PT2E, which ``qsim.quantize`` takes as a model.

    Raises:
        FileFormatError: the file is missing, damaged, of another version, or needs code to be
            loaded.
    """
    return _read(path, str(path))


def from_bytes(data: bytes) -> Quantized:
    """Return the quantized network of a ``.pt2`` file's bytes; errors as of ``load_pt2``."""
    where = "bytes of a .pt2 file"
    read = _read(data, where)
    if not isinstance(read, Quantized):
        raise FileFormatError("it is not quantized", where=where, accepted="what qsim wrote")
    return read


def _read(source: str | os.PathLike[str] | bytes, where: str) -> Quantized | ExportedProgram:
    members = read_members(source, where)
    try:
        check_members(members)
        programs = _load(members)
        extra = members.get(f"extra/{EXTRA}")
        if extra is not None:
            return _quantized(programs, table(json.loads(extra)), where)
        program = programs["model"]
    except FileFormatError as error:
        raise FileFormatError(error.message, where=where, accepted=error.accepted) from None
    except QsimError as error:
        raise FileFormatError(str(error), where=where, accepted=ACCEPTED) from None
    except (Exception, RecursionError) as error:
        # torch's deserializer fails in as many ways as it has lines.
        raise FileFormatError(
            f"is not a readable .pt2 file: {type(error).__name__}: {told(error, 120)}",
            where=where,
            accepted=ACCEPTED,
        ) from None
    return program


def _load(members: Mapping[str, bytes]) -> dict[str, ExportedProgram]:
    """Deserialize a new archive of the checked members."""
    from torch.export.pt2_archive._package import load_pt2 as load

    from qsim.graph import quiet

    # Registers the Q/DQ operators.
    import_module("torch.ao.quantization.fx._decomposed")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(f"archive/{name}", data)
    buffer.seek(0)
    with quiet():
        programs: dict[str, ExportedProgram] = load(buffer).exported_programs
    require("model" in programs, "holds no program called 'model'")
    for program in programs.values():
        for node in program.graph.nodes:
            _check_target(node.op, node.target)
    return programs


def _check_target(op: str, target: Any) -> None:
    """Refuse operators that neither read a tensor nor make one from numbers."""
    require(op in ("placeholder", "call_function", "output", "get_attr"), f"has a {op} node")
    if op != "call_function":
        return
    require(callable(target), f"calls {str(target)[:80]!r}, which this torch does not have")
    schema = getattr(target, "_schema", None)
    if schema is not None:
        name = schema.name.partition("::")[2]
        reads = any("Tensor" in str(argument.type) for argument in schema.arguments)
        require(name != "from_file" and (reads or name in _FACTORIES), f"calls {target}")


def _quantized(
    programs: Mapping[str, ExportedProgram], about: Mapping[str, Any], where: str
) -> Quantized:
    from qsim.target import Target

    require(
        about.get("format") == FORMAT,
        f"has format {about.get('format')!r} in {EXTRA}",
        f"format {FORMAT}",
    )
    require("float" in programs, "holds no program called 'float'")
    names = table(about.get("names"))
    graphs = {
        name: _renamed(in_order(programs[name].module(check_guards=False)), names.get(name))
        for name in ("model", "float")
    }
    batch = about.get("batch")
    require(isinstance(batch, bool), f"has batch {batch!r} in {EXTRA}", "true or false")
    host = about.get("host")
    require(
        isinstance(host, list) and all(isinstance(name, str) for name in host),
        f"has no list of host operators in {EXTRA}",
    )
    why = {name: _reason(held) for name, held in table(about.get("why")).items()}
    sample = programs["model"].example_inputs
    sizes = about.get("samples")
    require(
        sample is not None and isinstance(sizes, list) and len(sizes) == len(sample[0]),
        "holds no sample inputs",
    )
    return Quantized(
        graph=graphs["model"],
        float_graph=graphs["float"],
        target=Target.from_dict(table(about.get("target"))),
        batch=bool(batch),
        example_inputs=tuple(
            value[:size] if batch else value
            for value, size in zip((sample or ((), {}))[0], sizes or (), strict=True)
        ),
        host=frozenset(host or ()),
        why=why,
        raised=_raised(about.get("raised", [])),
        recorded=_recorded(about, where),
    )


def _reason(held: Any) -> Reason:
    """Return why an operator stays on the host; older files say the words alone."""
    fault = f"has reasons that are not text in {EXTRA}"
    held = {"kind": "", "text": held, "lacks": []} if isinstance(held, str) else held
    require(isinstance(held, dict) and set(held) == {"kind", "text", "lacks"}, fault)
    require(held["kind"] in KINDS and isinstance(held["lacks"], list), fault)
    words = (held["text"], *held["lacks"])
    require(all(isinstance(text, str) and text.isprintable() for text in words), fault)
    return Reason(held["kind"], held["text"], tuple(held["lacks"]))


def _raised(held: Any) -> tuple[Raised, ...]:
    fault = f"has raised scales that qsim did not write in {EXTRA}"
    names = {field.name for field in dataclasses.fields(Raised)}
    found = []
    require(isinstance(held, list), fault)
    for item in held:
        require(isinstance(item, dict) and set(item) == names, fault)
        raised = Raised(**item)
        words = (raised.layer, raised.tensor)
        require(all(isinstance(text, str) and text.isprintable() for text in words), fault)
        require(is_int(raised.channels) and isinstance(raised.factor, float), fault)
        require(raised.channel is None or is_int(raised.channel), fault)
        found.append(raised)
    return tuple(found)


def _recorded(about: Mapping[str, Any], where: str) -> Recorded | None:
    digest, version = about.get("network_sha256"), about.get("qsim")
    if digest is None:
        return None
    require(
        isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest) is not None,
        f"has network_sha256 {str(digest)[:80]!r} in {EXTRA}",
        "64 hexadecimal digits",
    )
    require(isinstance(version, str) and version.isprintable(), f"names no version in {EXTRA}")
    return Recorded(str(digest), str(version), where)


def _renamed(graph: GraphModule, names: Iterable[str] | None) -> GraphModule:
    """Give nodes back the names that a second export took from them."""
    nodes = [node for node in graph.graph.nodes if node.op == "call_function"]
    wanted = list(names or ())
    others = {node.name for node in graph.graph.nodes if node.op != "call_function"}
    require(
        len(wanted) == len(nodes)
        and all(isinstance(n, str) and re.fullmatch(r"[A-Za-z_]\w*", n) for n in wanted)
        and len({*wanted, *others}) == len(wanted) + len(others),
        f"has node names in {EXTRA} that do not fit its graph",
    )
    for node, name in zip(nodes, wanted, strict=True):
        node.name = name
    graph.recompile()
    return graph


def _reduced(quantized: Quantized) -> tuple[Any, tuple[bytes]]:
    return from_bytes, (to_bytes(quantized),)


# Pickles and copies hold the bytes of a file, and the name of what reads them: no code.
copyreg.pickle(Quantized, _reduced)

"""``manifest.json``: what a golden set holds, in a text that depends on the content alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from qsim import canonical
from qsim.program import format_to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hw_models import Format
    from qsim.golden.case import Case
    from qsim.program import Array, Json
    from qsim.target import Target

NAME: Final = "manifest.json"
FORMAT: Final = "qsim-golden"
VERSION: Final = 1
PACKAGES: Final = ("qsim", "torch", "torchao", "numpy", "numba")
HEAD: Final = ("format", "version", "sha256", "target", "model", "seed", "versions", "cases")
NETWORK: Final = "network_sha256"  # of a model's run: see ``qsim.network.digest``; not of vectors
_ORDER: Final = (*HEAD[:5], NETWORK, *HEAD[5:])


@dataclass(frozen=True)
class Entry:
    """What the manifest says of one case.

    Attributes:
        name, layer, primitive, attributes, classes: as in :class:`~qsim.golden.case.Case`.
        file: its file, in the set's folder.
        bytes, sha256: of that file.
        arrays: (shape, dtype) by the names of the file: ``operand/x``, ``constant/name``,
            ``output``.
        formats: of every operand and of the output.
    """

    name: str
    layer: str
    primitive: str
    file: str
    bytes: int
    sha256: str
    attributes: Mapping[str, Json]
    arrays: Mapping[str, tuple[tuple[int, ...], str]]
    formats: Mapping[str, Format]
    classes: Mapping[str, int]


@dataclass(frozen=True)
class Manifest:
    """What ``manifest.json`` says; ``document`` is all of it as JSON values."""

    document: Mapping[str, Any]
    target: Target
    entries: tuple[Entry, ...]


def versions() -> dict[str, Json]:
    """Return the versions of what computes, null where a package is not installed."""
    return {name: version_of(name) for name in PACKAGES}


def version_of(package: str) -> str | None:
    """Return the version of a package; None where it is not installed."""
    if package == "qsim":
        import qsim

        return qsim.__version__
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def arrays_of(case: Case) -> dict[str, Array]:
    """Return the arrays of a case by the names that its file uses."""
    return {
        **{f"operand/{name}": array for name, array in case.operands.items()},
        **{f"constant/{name}": array for name, array in case.constants.items()},
        "output": case.expected,
    }


def describe(case: Case, file: str, data: bytes) -> dict[str, Any]:
    """Return the manifest's entry of a case whose file has these bytes."""
    return {
        "name": case.name,
        "layer": case.layer,
        "primitive": case.primitive,
        "file": file,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "attributes": dict(case.attributes),
        "operands": {
            name: _array(array) | {"format": format_to_json(case.formats[name])}
            for name, array in case.operands.items()
        },
        "constants": {name: _array(array) for name, array in case.constants.items()},
        "output": _array(case.expected) | {"format": format_to_json(case.formats["output"])},
        "classes": dict(case.classes),
    }


def _array(array: Array) -> dict[str, Any]:
    return {"shape": list(array.shape), "dtype": str(array.dtype)}


def to_text(document: Mapping[str, Any]) -> bytes:
    """Return the bytes of a manifest, with the digest of its own content."""
    body = {key: value for key, value in document.items() if key != "sha256"}
    digest = hashlib.sha256(canonical.text(body).encode()).hexdigest()
    whole = {**body, "sha256": digest}
    parts = [f'"{key}": {_text(whole[key])}' for key in _ORDER if key in whole]
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode("ascii")


def _text(value: Any) -> str:
    """Return JSON on one line, or a line per object of a list: one line of a diff is one case."""
    if isinstance(value, list) and value:
        return "[\n " + ",\n ".join(map(_text, value)) + "\n]"
    return json.dumps(value, sort_keys=True, allow_nan=False)

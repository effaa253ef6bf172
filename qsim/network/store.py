"""``.qsim`` files: one safetensors file, no pickle, nothing that runs.

The arrays of every constant, and one JSON document under the metadata key ``qsim``: the format's
version, the target in full with its hash, steps, programs, value specs, and a SHA-256 over the
document and the arrays. The text is canonical, so the same network gives the same bytes, and a
file that differs in any bit from what was written is refused.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np

from qsim import canonical
from qsim.errors import FileFormatError
from qsim.network.document import to_document

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from qsim.network.data import Network
    from qsim.program import Array, Json

FORMAT_VERSION: Final = 1
KEY: Final = "qsim"
MAX_HEADER: Final = 100_000_000  # safetensors' own limit
_DTYPES: Final[Mapping[str, str]] = {
    "BOOL": "bool",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
}


def digest(document: Mapping[str, Json], arrays: Mapping[str, Array]) -> str:
    """Return the SHA-256 of a document (without its digest) and of its arrays, sorted by name.

    Every part is preceded by its length in 8 little-endian bytes.
    """
    total = hashlib.sha256()

    def add(part: bytes | memoryview) -> None:
        total.update(len(part).to_bytes(8, "little"))
        total.update(part)

    add(canonical.text({k: v for k, v in document.items() if k != "sha256"}).encode())
    for name in sorted(arrays):
        array = arrays[name]
        add(canonical.text([name, str(array.dtype), list(array.shape)]).encode())
        add(array.tobytes())
    return total.hexdigest()


def to_bytes(network: Network) -> bytes:
    """Return the bytes of a ``.qsim`` file."""
    document, arrays = to_document(network)
    return pack({"format_version": FORMAT_VERSION, **document}, little_endian(arrays))


def little_endian(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return arrays as files hold them: in C order, the lowest byte first."""
    return {
        name: np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        # ascontiguousarray makes a 0-dimensional array 1-dimensional.
        .reshape(array.shape)
        for name, array in arrays.items()
    }


def pack(document: Mapping[str, Json], arrays: Mapping[str, Array]) -> bytes:
    """Return the bytes of a file: the document with its digest, and the arrays."""
    from safetensors.numpy import save as serialize

    text = canonical.text({**document, "sha256": digest(document, arrays)})
    return bytes(serialize(dict(arrays), metadata={KEY: text}))


def save(network: Network, path: str | os.PathLike[str]) -> None:
    """Write a network; the file appears whole or not at all.

    Raises:
        UsageError: the path cannot be written.
    """
    from qsim.atomic import write_bytes

    write_bytes(path, to_bytes(network))


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the document and the arrays of a file's bytes, after the checks of both.

    Raises:
        FileFormatError: the bytes are not those of a ``.qsim`` file.
    """
    document = _document(data)
    _check_version(document)
    arrays = read_arrays(data)
    if document.get("sha256") != digest(document, arrays):
        raise FileFormatError("the SHA-256 does not match: the file is damaged")
    return {k: v for k, v in document.items() if k not in ("format_version", "sha256")}, arrays


def _document(data: bytes) -> dict[str, Any]:
    """Return the document of a file, after the checks of everything around it."""
    not_ours = "it is not a .qsim file"
    if len(data) < 8:
        raise FileFormatError(f"{not_ours}: {len(data)} bytes are too short")
    size = int.from_bytes(data[:8], "little")
    if not 2 <= size <= min(MAX_HEADER, len(data) - 8):
        raise FileFormatError(f"{not_ours}, or it is truncated: its header does not fit")
    header = data[8 : 8 + size].rstrip(b" ")
    table = parse(header, not_ours)
    metadata = table.get("__metadata__") if isinstance(table, dict) else None
    if not isinstance(metadata, dict) or set(metadata) != {KEY} or not _is_text(metadata[KEY]):
        raise FileFormatError(f"{not_ours}: it has no qsim metadata")
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False)
    document = parse(metadata[KEY].encode(), "the document is not JSON")
    if not isinstance(document, dict):
        raise FileFormatError("the document is not a JSON object")
    _check_version(document)
    if text.encode(errors="replace") != header or canonical.text(document) != metadata[KEY]:
        raise FileFormatError("the header is not as qsim writes it: the file is damaged")
    return document


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isascii()


def _check_version(document: Mapping[str, Any]) -> None:
    version = document.get("format_version")
    if version != FORMAT_VERSION or isinstance(version, bool):
        shown = version if isinstance(version, int) and abs(version) < 10**9 else "of no number"
        raise FileFormatError(
            f"written by format {shown}; this qsim reads {FORMAT_VERSION}",
            accepted=f"format {FORMAT_VERSION}",
        )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name is used twice in one object")
    return result


def _no_constant(token: str) -> NoReturn:
    raise ValueError(f"{token} is not JSON")


def _finite(token: str) -> float:
    value = float(token)
    if not math.isfinite(value):
        raise ValueError(f"the number {token[:40]} is out of range")
    return value


def parse(data: bytes, what: str) -> Any:
    """Read strict JSON: no NaN, no duplicate names, no numbers beyond float64.

    Raises:
        FileFormatError: anything else, deep nesting and endless integers included.
    """
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except RecursionError:
        raise FileFormatError(f"{what}: it is nested too deeply") from None
    except ValueError as error:
        raise FileFormatError(f"{what}: {str(error)[:120]}") from None


def read_arrays(data: bytes) -> dict[str, Array]:
    """Return the arrays of a safetensors file, in this machine's byte order.

    Raises:
        FileFormatError: the file is damaged, or holds a dtype that NumPy does not have.
    """
    import safetensors

    deserialize: Any = safetensors.deserialize
    try:
        entries = deserialize(data)
    except safetensors.SafetensorError as error:
        raise FileFormatError(f"the arrays are damaged: {error}") from None
    result: dict[str, Array] = {}
    for name, entry in entries:
        dtype = _DTYPES.get(str(entry["dtype"]))
        if dtype is None:
            raise FileFormatError(
                f"array {name[:80]!r} has dtype {entry['dtype']}", accepted=", ".join(_DTYPES)
            )
        try:
            flat = np.frombuffer(entry["data"], dtype=np.dtype(dtype).newbyteorder("<"))
            result[name] = flat.reshape(entry["shape"]).astype(dtype)
        except ValueError as error:
            raise FileFormatError(f"array {name[:80]!r} is damaged: {error}") from None
    return result

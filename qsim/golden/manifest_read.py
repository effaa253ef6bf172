"""``manifest.json`` read as data of unknown origin: every field is checked before it is used."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import FileFormatError, ModelError
from qsim.golden.manifest import (
    FORMAT,
    HEAD,
    NETWORK,
    VERSION,
    Entry,
    Manifest,
    to_text,
    version_of,
)
from qsim.network import parse
from qsim.program import (
    MAX_RANK,
    PRIMITIVES,
    any_format_from_json,
    check_keys,
    check_name,
    is_int,
    json_object,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.target import Target

MOST_CASES: Final = 1 << 16
_CASE: Final = (
    *("name", "layer", "primitive", "file", "bytes", "sha256", "attributes"),
    *("operands", "constants", "output", "classes"),
)
_ARRAY: Final = ("shape", "dtype")
_FILE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,119}\.safetensors")
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_DTYPES: Final = re.compile(r"u?int(8|16|32|64)|float(32|64)")


def from_text(data: bytes) -> Manifest:
    """Return the manifest that these bytes are, every field checked.

    Raises:
        QsimError: another format or version, damage, or a field that is not acceptable.
    """
    document = parse(data, "the manifest is not JSON")
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise FileFormatError("it is not the manifest of a golden set", accepted=FORMAT)
    found = document.get("version")
    if not is_int(found) or found != VERSION:
        raise ModelError.of(
            f"the set's version must be one that qsim {version_of('qsim')} reads", found, "1"
        )
    check_keys(document, HEAD, (NETWORK,))
    if to_text(document) != data:
        raise FileFormatError("the manifest is not as it was written: changed or damaged")
    _check_head(document)
    entries = tuple(_entry(item) for item in document["cases"])
    for what in ("name", "file"):
        names = [getattr(entry, what) for entry in entries]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ModelError.of(
                f"every case must have a {what} of its own", twice, f"unique {what}s"
            )
    return Manifest(document, _target(document["target"]), entries)


def _check_head(document: Mapping[str, Any]) -> None:
    seed, model, held = document["seed"], document["model"], document["versions"]
    if seed is not None and not (is_int(seed) and 0 <= seed < 1 << 64):
        raise ModelError.of("seed must be an integer or null", seed, "0..2**64-1, null")
    if model != "":
        check_name(model, "model")
    network = document.get(NETWORK, "0" * 64)
    if not isinstance(network, str) or not _HEX.fullmatch(network):
        raise ModelError.of(f"{NETWORK} must be a digest", network, "64 hexadecimal digits")
    if not isinstance(held, dict) or not all(isinstance(v, str | None) for v in held.values()):
        raise ModelError.of("versions must be an object of texts", held, '{"numpy": "2.0.0", ...}')
    if not isinstance(document["cases"], list) or len(document["cases"]) > MOST_CASES:
        raise ModelError.of(
            "cases must be a list", type(document["cases"]).__name__, f"0..{MOST_CASES}"
        )


def _target(value: Any) -> Target:
    from qsim.target import Target

    check_keys(value, ("name", "hash", "contract"))
    if not isinstance(value["contract"], dict):
        raise ModelError.of(
            "the target's contract must be an object", value["contract"], "its fields"
        )
    target = Target.from_dict(value["contract"])
    if target.hash != value["hash"] or target.name != value["name"]:
        raise ModelError.of("the target must have its name and hash", value["hash"], target.hash)
    return target


def _entry(item: Any) -> Entry:
    check_keys(item, _CASE)
    name = check_name(item["name"], "a case's name")
    try:
        return _checked(item)
    except FileFormatError:
        raise
    except Exception as error:
        message = getattr(error, "message", str(error))
        accepted = getattr(error, "accepted", "")
        raise FileFormatError(f"case {name!r}: {message}", accepted=accepted) from None


def _checked(item: Mapping[str, Any]) -> Entry:
    if item["layer"] != "":
        check_name(item["layer"], "layer")
    primitive = item["primitive"]
    if not isinstance(primitive, str) or primitive not in PRIMITIVES:
        raise ModelError.of("the primitive must be known", primitive, ", ".join(PRIMITIVES))
    _check_file(item)
    operands, constants = item["operands"], item["constants"]
    count = len(operands) if isinstance(operands, dict) else 0
    check_keys(operands, PRIMITIVES[primitive].slots(count))
    if not isinstance(constants, dict) or not all(map(str.isprintable, constants)):
        raise ModelError.of("constants must be an object by name", constants, "printable names")
    arrays = {f"operand/{name}": _shape(operands[name], "format") for name in operands}
    arrays |= {f"constant/{name}": _shape(value) for name, value in constants.items()}
    arrays["output"] = _shape(item["output"], "format")
    described = {**operands, "output": item["output"]}
    return Entry(
        name=item["name"],
        layer=item["layer"],
        primitive=primitive,
        file=item["file"],
        bytes=item["bytes"],
        sha256=item["sha256"],
        attributes=json_object(item["attributes"], "attributes"),
        arrays=arrays,
        formats={name: any_format_from_json(value["format"]) for name, value in described.items()},
        classes=_classes(item["classes"]),
    )


def _check_file(item: Mapping[str, Any]) -> None:
    file, size, digest = item["file"], item["bytes"], item["sha256"]
    if not isinstance(file, str) or not _FILE.fullmatch(file):
        raise ModelError.of("a file must be named in the set's folder", file, "name.safetensors")
    if not is_int(size) or size < 0:
        raise ModelError.of("bytes must be a size", size, "0 or more")
    if not isinstance(digest, str) or not _HEX.fullmatch(digest):
        raise ModelError.of("sha256 must be a digest", digest, "64 hexadecimal digits")


def _shape(value: Any, *more: str) -> tuple[tuple[int, ...], str]:
    check_keys(value, (*_ARRAY, *more))
    shape, dtype = value["shape"], value["dtype"]
    sizes = isinstance(shape, list) and all(is_int(size) and size >= 0 for size in shape)
    if not sizes or len(shape) > MAX_RANK:
        raise ModelError.of("shape must be a list of sizes", shape, f"at most {MAX_RANK} sizes")
    if not isinstance(dtype, str) or not _DTYPES.fullmatch(dtype):
        raise ModelError.of(
            "dtype must be a number's", dtype, "int8..int64, uint8..uint64, float32, float64"
        )
    return tuple(shape), dtype


def _classes(value: Any) -> Mapping[str, int]:
    if not isinstance(value, dict) or not all(is_int(n) and n >= 0 for n in value.values()):
        raise ModelError.of("classes must be counts by name", value, "0 or more")
    return value

"""Digests of files: of the bytes, or of what matters where a file also says when and where.

Not byte by byte are

* ``.pt2``, a zip: its members by name, without where torch's nodes come from (file and line of the
  source that made them, addresses of graphs) and without the archive's own number, a digest of it;
* ``.json``: without times, and a golden set's manifest without the versions of packages;
* ``.html``: without times;
* ``.vcd``: without date, simulator, and the number that is drawn for a simulation.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from typing import TYPE_CHECKING, Any, Final

from tools.record import normal

if TYPE_CHECKING:
    from pathlib import Path

_GRAPH: Final = re.compile(r'"graph_id": \d+, ')
_SERIAL: Final = ".data/serialization_id"
_HEAD: Final = re.compile(rb"\$(date|version)\b.*?\$end", re.DOTALL)
_NONCE: Final = re.compile(rb"\$var \w+ \d+ (\S+) nonce ")


def of(path: Path) -> str | dict[str, str]:
    """Return the digest of a file, or those of a folder's files by their names in it."""
    if path.is_dir():
        inside = sorted(item for item in path.rglob("*") if item.is_file())
        return {item.relative_to(path).as_posix(): _sha256(_content(item)) for item in inside}
    return _sha256(_content(path))


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _content(path: Path) -> bytes:
    if path.suffix == ".pt2":
        return _members(path)
    data = path.read_bytes()
    if path.suffix == ".json":
        return _canonical(_facts(json.loads(data)))
    if path.suffix == ".html":
        return normal.page(data.decode()).encode()
    return _waves(data) if path.suffix == ".vcd" else data


def _waves(data: bytes) -> bytes:
    nonce = _NONCE.search(data)
    end = b" " + nonce[1] if nonce else b"\n"
    return b"\n".join(line for line in _HEAD.sub(b"", data).split(b"\n") if not line.endswith(end))


def _facts(document: Any) -> Any:
    facts = normal.value(document)
    if isinstance(facts, dict) and facts.get("format") == "qsim-golden":
        # The manifest's own digest covers the versions of packages too.
        return {key: item for key, item in facts.items() if key not in ("versions", "sha256")}
    return facts


def _members(path: Path) -> bytes:
    lines = []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            data = archive.read(name)
            if name.endswith(_SERIAL):
                continue
            if name.endswith(".json"):
                data = _canonical(_without_traces(json.loads(data)))
            lines.append(f"{name} {_sha256(data)}\n")
    return "".join(lines).encode()


def _without_traces(item: Any) -> Any:
    if isinstance(item, dict):
        kept = {key: part for key, part in item.items() if key != "stack_trace"}
        return {
            key: _GRAPH.sub("", part) if key == "from_node" else _without_traces(part)
            for key, part in kept.items()
        }
    return [_without_traces(part) for part in item] if isinstance(item, list) else item


def _canonical(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True).encode()

"""Where two records differ, key by key, and how much of them is equal."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tools.record.normal import is_time

if TYPE_CHECKING:
    from collections.abc import Iterator

MISSING: Final = object()


@dataclass(frozen=True)
class Difference:
    """One key that is not the same.

    Attributes:
        path: unit, record and keys, joined by a slash.
        old, new: what there is; "missing" where there is nothing.
    """

    path: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.path}: {self.old} -> {self.new}"


def differences(old: Any, new: Any, path: str = "") -> Iterator[Difference]:
    """Yield every key under which two JSON values differ; times are not looked at."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            if not is_time(key):
                sides = old.get(key, MISSING), new.get(key, MISSING)
                yield from differences(*sides, f"{path}/{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            sides = _item(old, index), _item(new, index)
            yield from differences(*sides, f"{path}/{index}")
    elif type(old) is not type(new) or old != new:
        yield Difference(path, _shown(old), _shown(new))


def _item(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else MISSING


def _shown(item: Any) -> str:
    if item is MISSING:
        return "missing"
    text = json.dumps(item, ensure_ascii=False)
    return text if len(text) <= 160 else f"{text[:157]}..."


def counts(entries: dict[str, Any]) -> Counter[str]:
    """Return how much there is of each kind."""
    total: Counter[str] = Counter()
    for name, records in entries.items():
        kind = name.partition("/")[0]
        if kind == "names":
            total["names"] += len(records)
            continue
        total["pairs" if kind == "pair" else "other units"] += 1
        for record in records.values():
            if isinstance(record, dict):
                total["documents"] += "document" in record
                total["texts"] += "text" in record
                total["files"] += sum(_files(item) for item in record.get("files", {}).values())
    return total


def _files(digests: str | dict[str, str]) -> int:
    return len(digests) if isinstance(digests, dict) else 1


def summary(entries: dict[str, Any]) -> str:
    """Return the counts in words: "119 pairs, 1,200 documents, ..."."""
    total = counts(entries)
    kinds = ("pairs", "other units", "documents", "texts", "files", "names")
    return ", ".join(f"{total[kind]:,} {kind}" for kind in kinds)

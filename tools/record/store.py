"""The file of a record, and the lines that grow beside it until it is whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

FORMAT: Final = 1


@dataclass
class Recording:
    """A record.

    Attributes:
        code: digest of the code that was recorded.
        environment: where.
        entries: records by the name of their unit.
        cpu: seconds that each unit took; not compared.
    """

    code: str
    environment: dict[str, Any]
    entries: dict[str, Any] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)

    def add(self, line: dict[str, Any]) -> None:
        """Take the line of a finished unit."""
        self.entries[line["unit"]] = line["records"]
        self.cpu[line["unit"]] = line["cpu"]


def part_of(path: Path) -> Path:
    """Return the file of lines that a record grows in."""
    return path.with_name(f"{path.name}.part")


def read(path: Path) -> Recording:
    """Return a whole record.

    Raises:
        ValueError: it is not one.
    """
    data = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"{path} is no record of format {FORMAT}")
    return Recording(data["code"], data["environment"], data["entries"], data["cpu"])


def write(path: Path, recording: Recording, order: list[str]) -> None:
    """Write a whole record, under its name only when it is whole; the lines go."""
    names = sorted(recording.entries, key=order.index)
    document = {
        "format": FORMAT,
        "code": recording.code,
        "environment": recording.environment,
        "entries": {name: recording.entries[name] for name in names},
        "cpu": {name: recording.cpu[name] for name in names},
    }
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    new.replace(path)
    part_of(path).unlink(missing_ok=True)


def resume(path: Path, fresh: Recording) -> Recording:
    """Return the record so far: what an interrupted run, or a run of fewer units, has finished.

    Raises:
        ValueError: what is there was recorded of other code or elsewhere.
    """
    found = read(path) if path.exists() else None
    part = part_of(path)
    if part.exists():
        # The last line of an interrupted run may be half a line.
        lines = part.read_text(encoding="utf-8").split("\n")[:-1]
        head = json.loads(lines[0]) if lines else None
        if head is not None:
            found = found or Recording(head["code"], head["environment"])
            for line in lines[1:]:
                found.add(json.loads(line))
    if found is None:
        return fresh
    if (found.code, found.environment) != (fresh.code, fresh.environment):
        raise ValueError(f"{path} was recorded of other code or elsewhere: give another name")
    return found


def start(path: Path, recording: Recording) -> None:
    """Begin the file of lines with what is there already."""
    head = {"code": recording.code, "environment": recording.environment}
    lines = [head] + [
        {"unit": name, "records": recording.entries[name], "cpu": recording.cpu[name]}
        for name in recording.entries
    ]
    new = path.with_name(f"{path.name}.new")
    new.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    new.replace(part_of(path))


def append(path: Path, line: dict[str, Any]) -> None:
    """Keep a finished unit."""
    with part_of(path).open("a", encoding="utf-8") as file:
        file.write(f"{json.dumps(line)}\n")

"""A golden set on disk: opened whole, read case by case, everything checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from qsim.errors import FileFormatError, UsageError
from qsim.golden import manifest
from qsim.golden.case import Case
from qsim.golden.files import MOST_MANIFEST, read_file
from qsim.golden.manifest_read import from_text
from qsim.golden.reading import data_of, read_case

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from qsim.golden.manifest import Entry
    from qsim.target import Target


@dataclass(frozen=True)
class GoldenSet:
    """A golden set. Its cases are read, and checked again, when they are asked for.

    Attributes:
        directory: the folder.
        target: the contract whose integers these are.
        manifest: all of ``manifest.json``, as JSON values.
        entries: what it says of every case, in order.
    """

    directory: Path
    target: Target
    manifest: Mapping[str, Any] = field(repr=False)
    entries: tuple[Entry, ...] = field(repr=False)

    @property
    def cases(self) -> Sequence[Case]:
        """Every case, in the manifest's order; each access reads its file."""
        return _Cases(self)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the cases, in order."""
        return tuple(entry.name for entry in self.entries)

    @property
    def model(self) -> str:
        """The model whose run was recorded; empty for directed vectors."""
        return str(self.manifest["model"])

    @property
    def network(self) -> str | None:
        """The digest of the network whose run was recorded; None for directed vectors."""
        held = self.manifest.get(manifest.NETWORK)
        return None if held is None else str(held)

    def case(self, name: str) -> Case:
        """Return one case.

        Raises:
            UsageError: there is none of that name.
            FileFormatError: its file is not what the manifest says.
        """
        for entry in self.entries:
            if entry.name == name:
                return read_case(self.directory, entry)
        import difflib

        close = difflib.get_close_matches(name, self.names, 3, 0.4) or list(self.names[:3])
        raise UsageError(
            f"no case is named {name!r}",
            where=str(self.directory),
            accepted=f"one of {len(self.names)} names, such as {', '.join(close)}",
        )


class _Cases(Sequence[Case]):
    """The cases of a set, read one by one: a recorded network may be large."""

    def __init__(self, golden: GoldenSet) -> None:
        self._golden = golden

    def __len__(self) -> int:
        return len(self._golden.entries)

    @overload
    def __getitem__(self, index: int) -> Case: ...
    @overload
    def __getitem__(self, index: slice) -> list[Case]: ...
    def __getitem__(self, index: int | slice) -> Case | list[Case]:
        if isinstance(index, slice):
            return [read_case(self._golden.directory, e) for e in self._golden.entries[index]]
        return read_case(self._golden.directory, self._golden.entries[index])

    def __iter__(self) -> Iterator[Case]:
        return (read_case(self._golden.directory, entry) for entry in self._golden.entries)


def load(directory: str | PathLike[str], *, target: Target | None = None) -> GoldenSet:
    """Open a golden set after checking every byte of it.

    Args:
        directory: the folder.
        target: if given, the contract that the set must have been made for.

    Raises:
        FileFormatError: it is no golden set, of another version, changed, damaged, incomplete,
            or holds what its manifest does not list.
        UsageError: it was made for another target.
    """
    folder = Path(directory)
    path = folder / manifest.NAME
    try:
        found = sorted(item.name for item in folder.iterdir())
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise FileFormatError(
            f"cannot be read: {reason}", where=str(folder), accepted="the folder of a golden set"
        ) from None
    if manifest.NAME not in found:
        raise FileFormatError(
            f"it is no golden set: it has no {manifest.NAME}",
            where=str(folder),
            accepted="a folder that `qsim golden record` made",
        )
    data = read_file(path, MOST_MANIFEST)
    with data_of(path):
        held = from_text(data)
    golden = GoldenSet(folder, held.target, held.document, held.entries)
    _check_files(golden, set(found))
    require_target(golden, target)
    for _ in golden.cases:
        pass  # reading a case checks it
    return golden


def require_target(golden: GoldenSet, target: Target | None) -> None:
    """Refuse a set that was made for another target.

    Raises:
        UsageError: names both.
    """
    if target is not None and target.hash != golden.target.hash:
        raise UsageError(
            f"it was recorded for {golden.target.name} {golden.target.short_hash}, not for "
            f"{target.name} {target.short_hash}",
            where=str(golden.directory),
            accepted="the target that it was recorded for; vectors of another one prove nothing",
        )


def _check_files(golden: GoldenSet, found: set[str]) -> None:
    listed = {entry.file for entry in golden.entries}
    missing = listed - found
    if missing:
        raise FileFormatError(
            "a file that the manifest lists is missing",
            where=str(golden.directory / min(missing)),
            accepted="the whole set",
        )
    stray = found - listed - {manifest.NAME}
    if stray:
        raise FileFormatError(
            "the manifest does not list it",
            where=str(golden.directory / min(stray)),
            accepted="nothing but the set's own files",
        )

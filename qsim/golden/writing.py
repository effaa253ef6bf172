"""Golden sets are written whole or not at all, and replace nothing but a golden set."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim import atomic
from qsim.errors import FileFormatError, UsageError
from qsim.golden import manifest
from qsim.golden.files import MOST_MANIFEST, read_file
from qsim.golden.manifest_read import from_text
from qsim.golden.sets import GoldenSet, load
from qsim.golden.single import check_case

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from os import PathLike

    from qsim.golden.case import Case
    from qsim.program import Array
    from qsim.target import Target


def write(
    cases: Iterable[Case],
    directory: str | PathLike[str],
    target: Target,
    *,
    model: str = "",
    network: str | None = None,
    seed: int | None = None,
    force: bool = False,
) -> GoldenSet:
    """Write cases as a golden set; the same cases give the same bytes with the same versions.

    Args:
        cases: of different names; each is written before the next one is asked for.
        directory: the folder to make.
        target: the contract that they follow.
        model: the model whose run they are; empty for directed vectors.
        network: the digest of the network whose run they are; None for directed vectors.
        seed: what they were drawn from; only written down.
        force: replace a golden set that is there.

    Raises:
        UsageError: the folder exists and is no golden set to replace, or cannot be written; two
            cases of one name.
        ModelError: a case that its primitive does not accept.
    """
    path = Path(directory)
    check_destination(path, force=force)
    with _replacing(path) as folder:
        described: list[dict[str, Any]] = []
        names: set[str] = set()
        for index, case in enumerate(cases):
            if case.name in names:
                raise UsageError(f"two cases are named {case.name!r}", accepted="unique names")
            names.add(case.name)
            check_case(case)
            file, data = _file_name(index, case.name), _serialize(manifest.arrays_of(case))
            _put(path, folder / file, data)
            described.append(manifest.describe(case, file, data))
        document: dict[str, Any] = {
            "format": manifest.FORMAT,
            "version": manifest.VERSION,
            "target": {"name": target.name, "hash": target.hash, "contract": target.to_dict()},
            "model": model,
            **({} if network is None else {manifest.NETWORK: network}),
            "seed": seed,
            "versions": manifest.versions(),
            "cases": described,
        }
        text = manifest.to_text(document)
        from_text(text)  # refuses, before anything is in place, what could not be read
        _put(path, folder / manifest.NAME, text)
    return load(path)


def _put(told: Path, path: Path, data: bytes) -> None:
    with atomic.refused(told):
        path.write_bytes(data)


def check_destination(path: Path, *, force: bool) -> None:
    """Find out that a set cannot be written there before the work, not after it.

    Raises:
        UsageError: the folder exists and is not one to replace, or has no parent.
    """
    if not path.absolute().parent.is_dir():
        raise UsageError(
            "cannot be written: no such directory",
            where=str(path.absolute().parent),
            accepted="a folder in a directory that exists",
        )
    atomic.put_back(path)
    if not _is_set(path):
        atomic.check_fresh(path)
    elif not force:
        raise UsageError(
            "a golden set is there already", where=str(path), accepted="a new name, or --force"
        )


def _is_set(path: Path) -> bool:
    """Return whether a folder holds a golden set, maybe a damaged one, and nothing else."""
    try:
        if path.is_symlink() or not path.is_dir():
            return False
        for item in path.iterdir():
            own = item.name == manifest.NAME or item.suffix == ".safetensors"
            if not own or item.is_symlink() or not item.is_file():
                return False
        document = json.loads(read_file(path / manifest.NAME, MOST_MANIFEST))
    except (FileFormatError, OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("format") == manifest.FORMAT


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a new folder that becomes path; a set that is there goes when the new one is whole."""
    if not _is_set(path):
        with atomic.directory(path) as folder:
            yield folder
        return
    with atomic.replacement(path) as folder:
        yield folder


def _file_name(index: int, name: str) -> str:
    safe = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:80].strip(".")
    return f"{index:04d}_{safe}.safetensors"


def _serialize(arrays: dict[str, Array]) -> bytes:
    from safetensors.numpy import save as serialize

    plain = {
        name: np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)
        for name, array in arrays.items()
    }
    return bytes(serialize(plain))

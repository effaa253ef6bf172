"""The arrays of a block: found, read, and checked against its fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from qsim import npy
from qsim.errors import InputError, ModelError, UsageError, told
from qsim.models import function

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.cosim.jobs import Field

Array: TypeAlias = npt.NDArray[Any]
Function: TypeAlias = Callable[..., Any]
# Arrays by name; a folder of them; what computes them, or the name of that.
Given: TypeAlias = "Mapping[str, Any] | Path | str | Function"
_NPY = "a .npy file of integers"


def gather(
    given: Given | None,
    files: Mapping[str, Path],
    fields: Sequence[Field],
    arguments: Mapping[str, Any],
    what: str,
) -> dict[str, Array]:
    """Return an array of integers for every field.

    Args:
        given: where they are; None for the files that the block's table names.
        files: those files, which also serve the fields that a folder has none for.
        fields: what is wanted.
        arguments: of a function.
        what: ``inputs`` or ``expected``, for errors.

    Raises:
        UsageError: nothing says where they are, or there is no such folder or function.
        InputError: an array is missing, is none of the block's, or holds no integers of its field.
    """
    arrays = {name: npy.read(path, _NPY) for name, path in files.items() if given is None}
    where = what
    if isinstance(given, Mapping):
        arrays = dict(given)
    elif callable(given):
        where = getattr(given, "__name__", what)
        arrays = _returned(given(**arguments), fields, where)
    elif given is not None:
        path = Path(given)
        where = str(given)
        if where and path.is_dir():
            found = _folder(path, fields)
            arrays = {k: npy.read(v, _NPY) for k, v in {**files, **found}.items()}
        else:
            arrays = _returned(_call(where, arguments), fields, where)
    names = [field.name for field in fields]
    for name in arrays:
        if name not in names:
            raise InputError(
                f"there is no array {name!r:.80} to take", where=where, accepted=", ".join(names)
            )
    return {field.name: _checked(field, arrays, where, what) for field in fields}


def _folder(path: Path, fields: Sequence[Field]) -> dict[str, Path]:
    """Return the files of a folder that are named like fields."""
    return {f.name: path / f"{f.name}.npy" for f in fields if (path / f"{f.name}.npy").is_file()}


def _call(spec: str, arguments: Mapping[str, Any]) -> Any:
    if ":" not in spec:
        raise UsageError(
            "there is no such folder",
            where=spec or "''",
            accepted="a folder of .npy files, package.module:function or file.py:function",
        )
    try:
        return function(spec)(**arguments)
    except ModelError as error:
        called = error.message.startswith("TypeError: ") and error.where == spec
        wanted = f"a function of {', '.join(arguments)}" if called else error.accepted
        raise UsageError(error.message, where=error.where or spec, accepted=wanted) from None


def _returned(value: Any, fields: Sequence[Field], where: str) -> dict[str, Any]:
    """Return what a function made, by name; one array is that of the only field."""
    if isinstance(value, Mapping):
        return dict(value)
    if len(fields) == 1:
        return {fields[0].name: value}
    raise InputError(
        f"the function returned {type(value).__name__}",
        where=where,
        accepted=f"a dict with arrays named {', '.join(field.name for field in fields)}",
    )


def _checked(field: Field, arrays: Mapping[str, Any], where: str, what: str) -> Array:
    if field.name not in arrays:
        hint = f"{field.name}.npy in the folder, or {field.name} in [custom.{what}]"
        raise InputError(f"there is no array for {field.name!r}", where=where, accepted=hint)
    place = f"{where}: {field.name}"
    array = _array(arrays[field.name], place)
    if array.dtype.kind not in "iub":
        raise InputError(
            f"it holds {array.dtype}", where=place, accepted="integers of at most 64 bits"
        )
    if field.lanes > 1 and array.shape[-1:] != (field.lanes,):
        raise InputError(
            f"the last dimension must be the field's {field.lanes} lanes, not {array.shape}",
            where=place,
            accepted=f"(..., {field.lanes})",
        )
    outside = (array < field.min) | (array > field.max)
    if outside.any():
        index = tuple(int(i) for i in np.argwhere(outside)[0])
        raise InputError(
            f"it holds {int(array[index])} at {list(index)}",
            where=place,
            accepted=f"{field.min}..{field.max}",
        )
    # One type for all that it holds: NumPy makes floats of mixed 64-bit integers.
    return array.astype(np.int64 if field.max < 1 << 63 else np.uint64)


def _array(value: Any, place: str) -> Array:
    """Return what somebody's code made as an array."""
    if isinstance(value, np.ma.MaskedArray):
        raise InputError("it is masked", where=place, accepted="integers, each with a value")
    try:
        return np.asarray(value)
    except MemoryError:
        raise
    except Exception as error:  # whatever the __array__ of another library raises
        message = f"NumPy makes no array of it: {told(error, 200)}"
        raise InputError(message, where=place, accepted="integers") from None


def drawn(fields: Sequence[Field], count: int, seed: int) -> dict[str, Array]:
    """Return arrays of every field: its corners in all places of the others', then uniform ones."""
    random = np.random.default_rng([seed, 2])
    arrays: dict[str, Array] = {}
    for field in fields:
        kind: Any = np.int64 if field.max < 1 << 63 else np.uint64
        shape = (count, field.lanes) if field.lanes > 1 else (count,)
        array = random.integers(field.min, field.max, shape, dtype=kind, endpoint=True)
        corners = [c for c in (field.min, field.max, 0, 1, -1) if field.min <= c <= field.max]
        # One beat in four is a corner, drawn apart for every field: they meet in every pairing.
        chosen = random.choice(np.array(corners, kind), shape)
        arrays[field.name] = np.where(random.random(shape) < 0.25, chosen, array)
    return arrays

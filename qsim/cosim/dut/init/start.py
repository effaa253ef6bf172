"""From files to a draft on disk: what ``qsim cosim --init`` does."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qsim import atomic
from qsim.cosim.dut.binding import REDUCTIONS
from qsim.cosim.dut.file import parse
from qsim.cosim.dut.fits import require_unit
from qsim.cosim.dut.init import words as w
from qsim.cosim.dut.init.draft import draft
from qsim.cosim.dut.init.slang import read
from qsim.cosim.dut.table import NAME
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from qsim.cosim.jobs import Unit

FILE: Final = "dut.toml"
# Words of a module's name, for what it computes.
_WORDS: Final = {
    "requantize": "requant requantize requantizer rescale scaler quant quantizer",
    "bias_add": "bias biasadd",
    "clamp": "relu relu6 clamp clip",
    "lookup": "lookup lut table",
    "max_pool": "maxpool",
    "avg_pool": "avgpool",
    "correlation": "conv mac pe dot correlation",
    "linear": "fc linear dense mvu",
    "matmul": "matmul gemm systolic",
    "softmax": "softmax",
    "argmax": "argmax",
    "mul": "mul multiply multiplier",
    "add": "add adder",
    "sub": "sub subtract",
    "maximum": "maximum max",
    "minimum": "minimum min",
    "mean": "mean",
    "pad": "pad padding padder",
    "permute": "permute transpose",
    "gather": "gather roll shuffle",
    "strided_slice": "slice flip crop strided",
    "prelu": "prelu",
    "layer_norm": "layernorm",
    "group_norm": "groupnorm instancenorm",
    "rms_norm": "rmsnorm",
}


@dataclass(frozen=True)
class Written:
    """What was made.

    Attributes:
        path: of the file.
        top: the module.
        primitive: what it is taken to compute.
        said: what was guessed, one line each.
        todo: what is missing or uncertain; empty where the file can be used as it is.
    """

    path: Path
    top: str
    primitive: str
    said: tuple[str, ...]
    todo: tuple[str, ...]


def init(
    sources: Sequence[Path],
    fields: Callable[[str], Unit],
    *,
    top: str | None = None,
    primitive: str | None = None,
    include: Sequence[Path] = (),
    defines: Sequence[str] = (),
    output: Path | None = None,
) -> Written:
    """Write a draft ``dut.toml`` for a module.

    Args:
        sources: its files, its own last.
        fields: gives the unit of a primitive.
        top: its name, where the files have several.
        primitive: what it computes; guessed from its name if None.
        include: folders of included files.
        defines: macros, ``NAME=TEXT`` each.
        output: the file to make; ``dut.toml`` beside the last source if None.

    Raises:
        MissingToolError: pyslang is not installed.
        UsageError: a file that is there already or cannot be written, sources that are no
            SystemVerilog, or an unknown module or primitive.
    """
    path = output or sources[-1].parent / FILE
    if path.exists() or path.is_symlink():
        raise UsageError(
            "there is such a file already",
            where=str(path),
            accepted="-o with the name of a new file; a draft replaces nothing",
        )
    _require_arguments(sources, include, defines, path)
    module = read(sources, top=top, include=include, defines=defines)
    guess, why = (primitive, "") if primitive else _computes(module.name)
    try:
        unit = None if guess == "custom" else fields(guess)
    except UsageError as error:
        known = f"{error.accepted}; custom: a block of its own"
        raise UsageError(error.message, where="--primitive", accepted=known) from None
    made = draft(
        module,
        guess,
        unit,
        path.parent,
        reduces=guess in REDUCTIONS,
        defines=defines,
        include=include,
    )
    said, todo = [*([why] if why else []), *made.said], list(made.todo)
    text = made.text.replace("#\n", f"#\n#   {why}\n", 1) if why else made.text
    problem = _problem(text, path, made.unit)
    if problem:
        todo.append(f"it cannot be used yet: {problem}")
        text = text.replace(
            "\n\nschema", f"\n# TODO: it cannot be used yet: {problem}\n\nschema", 1
        )
    atomic.write_bytes(path, text.encode())
    return Written(path, module.name, guess, tuple(said), tuple(todo))


def _require_arguments(
    sources: Sequence[Path], include: Sequence[Path], defines: Sequence[str], path: Path
) -> None:
    """Require what the parser would not miss, or not tell in words of these arguments."""
    for each in (*sources, *include, path):
        _require_text(each)
    for index, source in enumerate(sources):
        if source.resolve() in {each.resolve() for each in sources[:index]}:
            raise UsageError("it is given twice", where=str(source), accepted="each file once")
    for folder in include:
        if not folder.is_dir():
            raise UsageError("--include names no folder", where=str(folder), accepted="a folder")
    for define in defines:
        name, _, text = define.partition("=")
        if not NAME.fullmatch(name) or not (text.isprintable() and text.isascii()):
            raise UsageError(
                f"--define must not be {define!r:.80}", accepted="NAME=TEXT, in ASCII, on one line"
            )


def _require_text(path: Path) -> None:
    """Require a path that TOML, which is UTF-8, can hold."""
    try:
        os.fsencode(path.resolve()).decode()
    except UnicodeDecodeError:
        raise UsageError(
            "its path is not UTF-8, which a draft must be", where=str(path), accepted="another name"
        ) from None


def _computes(name: str) -> tuple[str, str]:
    """Return the primitive that a module is called after, or ``custom``; and what to say of it."""
    own = w.words(name)
    joined = "".join(own)
    for primitive, aliases in _WORDS.items():
        for alias in aliases.split():
            if alias in own or (len(alias) > 4 and alias in joined):
                return primitive, f"it computes {primitive}: by the name {name}"
    return "custom", f"it is a block of its own (custom): the name {name} is no primitive's"


def _problem(text: str, path: Path, unit: Unit | None) -> str:
    """Return why a draft cannot be used yet; empty where it can."""
    try:
        dut = parse(text, path)
        if unit is not None:
            require_unit(dut, unit)
    except UsageError as error:
        place = error.where.removeprefix(str(path)).lstrip(": ")
        line = f"{place}: {error.message}" if place else error.message
        return f"{line} (accepted: {error.accepted})" if error.accepted else line
    return ""

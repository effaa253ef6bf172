"""Where something stands in the user's model: the layer, and the line that a person wrote.

A node of an exported graph keeps both in its metadata; an error and a running export are asked for
the frames of their stack. Frames of torch and of qsim are passed over: the innermost of the others
is the line of the model, be it a package's or the user's own.
"""

from __future__ import annotations

import linecache
import re
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qsim.graph.nodes import layer, module_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType, TracebackType

    import torch
    from torch.fx import Node

_FRAME: Final = re.compile(r'File "([^"]+)", line (\d+)')
_PYTHON: Final = sysconfig.get_path("stdlib")
_QSIM: Final = str(Path(__file__).parent.parent)


def place(node: Node) -> str:
    """Return ``layer1.conv (net.py:12)`` of a node, or as much of it as the graph knows."""
    found = line(node)
    if not found:
        return layer(node)
    return f"{layer(node)} ({found})" if module_paths(node) else f"{node.name} ({found})"


def line(node: Node) -> str:
    """Return ``net.py:12``, the line of the model that a node comes from, or nothing."""
    frames = _FRAME.findall(node.meta.get("stack_trace") or "")
    own = [(file, number) for file, number in frames if _is_users(file)]
    return f"{Path(own[-1][0]).name}:{own[-1][1]}" if own else ""


def _is_users(file: str) -> bool:
    import torch

    # What torch writes at the end of an export has paths from its own folder.
    python = file.startswith(_PYTHON) and "site-packages" not in file
    foreign = ("<", "torch/", _QSIM, str(Path(torch.__file__).parent))
    return not python and not file.startswith(foreign)


def place_of_error(error: BaseException, model: torch.nn.Module) -> str:
    """Return the layer and the line of the model at which an error was raised, or nothing."""
    return _place(_raised(error.__traceback__), model)


def source_of_error(error: BaseException) -> str:
    """Return the text of the line of the model at which an error was raised, or nothing."""
    return _source(_raised(error.__traceback__))


def place_of_stack(frame: FrameType | None, model: torch.nn.Module) -> tuple[str, str]:
    """Return the layer and the line of the model that runs now, and the line's text."""
    running = list(_running(frame))
    return _place(running, model), _source(running)


def _raised(found: TracebackType | None) -> list[tuple[FrameType, int]]:
    """Return frames with their lines, innermost first."""
    frames: list[tuple[FrameType, int]] = []
    while found is not None:
        frames.insert(0, (found.tb_frame, found.tb_lineno))
        found = found.tb_next
    return frames


def _running(frame: FrameType | None) -> Iterator[tuple[FrameType, int]]:
    while frame is not None:
        yield frame, frame.f_lineno
        frame = frame.f_back


def _source(frames: Iterable[tuple[FrameType, int]]) -> str:
    for frame, number in frames:
        if _is_users(frame.f_code.co_filename):
            return " ".join(linecache.getline(frame.f_code.co_filename, number).split())
    return ""


def _place(frames: Iterable[tuple[FrameType, int]], model: torch.nn.Module) -> str:
    import torch

    paths = {id(module): path for path, module in model.named_modules()}
    where, inside = "", ""
    for frame, number in frames:
        file = frame.f_code.co_filename
        if not where and _is_users(file):
            where = f"{Path(file).name}:{number}"
        module = frame.f_locals.get("self")
        if not inside and isinstance(module, torch.nn.Module):
            inside = paths.get(id(module), "")
        if where and inside:
            return f"{inside} ({where})"
    return where or inside

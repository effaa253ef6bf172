"""Go down a page: write its files, run its commands in one folder, keep what they print."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.docs.blocks import ROOT, Command, File, steps
from tools.docs.scenes import SCENES, Scene
from tools.docs.shown import difference

if TYPE_CHECKING:
    from collections.abc import Iterator

# Commands that several pages have: what they make is kept, since nothing else goes into it.
SHARED: Final = (
    "qsim run digits",
    "qsim models digits --samples .",
    "qsim compile digits -o digits.pte --max-batch 64",
    "qsim compile digits -o int8.pte --batch 1 --quantized-io",
    "qsim compile digits -o net.qsim",
    "qsim golden record digits -o digits_golden",
)


@dataclass(frozen=True)
class Done:
    """A command that was run.

    Attributes:
        command: of the page.
        as_expected: it ended with the status that the page says.
        printed: on stdout and stderr, in their order.
        wrong: why it is not what the page says; empty where it is.
    """

    command: Command
    as_expected: bool
    printed: tuple[str, ...]
    wrong: str


class Walk:
    """A folder in which pages are gone through one after the other.

    Args:
        kept: holds what the shared commands made.
    """

    def __init__(self, kept: Path) -> None:
        self.kept = kept
        self.status = 0

    def page(self, page: str, folder: Path, *, long: bool = False) -> Iterator[Done]:
        """Yield every command of a page that is run, in its order.

        Args:
            page: from the repository's root.
            folder: empty; the commands run in it.
            long: also run what takes long.
        """
        scene = SCENES.get(page, Scene())
        lines = (ROOT / page).read_text("utf-8").splitlines()
        scene.given(folder)
        with contextlib.chdir(folder):
            for step in steps(lines, page):
                if isinstance(step, File):
                    Path(step.name).write_text(step.text, "utf-8")
                elif not _left_out(step, scene, long):
                    yield self._done(step, scene)

    def _done(self, command: Command, scene: Scene) -> Done:
        self.status, text = self._run(command.text)
        printed = tuple(text.splitlines())
        wanted = scene.status.get(command.text, 0)
        wrong = ""
        if self.status != wanted:
            wrong = f"exit status {self.status}, not {wanted}: {text[-2000:]}"
        elif command.shown is not None:
            wrong = difference(command.shown, printed, numbers=command.text in scene.near)
        return Done(command, self.status == wanted, printed, wrong)

    def _run(self, text: str) -> tuple[int, str]:
        if text not in SHARED:
            return self._call(text)
        kept = self.kept / str(SHARED.index(text))
        if not kept.is_dir():
            (kept / "made").mkdir(parents=True)
            with contextlib.chdir(kept / "made"):
                status, printed = self._call(text)
            (kept / "printed").write_text(f"{status}\n{printed}", "utf-8")
        shutil.copytree(kept / "made", ".", dirs_exist_ok=True)
        status, _, printed = (kept / "printed").read_text("utf-8").partition("\n")
        return int(status), printed

    def _call(self, text: str) -> tuple[int, str]:
        program, *arguments = shlex.split(text)
        if text == "echo $?":
            return 0, f"{self.status}\n"
        if Path(program).name == "qsim":
            if arguments[-1].startswith(">"):
                return _redirected(arguments[:-1], arguments[-1][1:])
            return _qsim(arguments)
        if program not in ("cp", "sed", "mkfifo"):
            raise ValueError(f"a page has the command {text!r}, which nothing here can run")
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


def _redirected(arguments: list[str], path: str) -> tuple[int, str]:
    """Run a command in a process of its own, as its stdout is; return its status and its stderr."""
    program = [sys.executable, "-m", "qsim", *arguments]
    with Path(path).open("w", encoding="utf-8") as stdout:
        done = subprocess.run(
            program,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    return done.returncode, done.stderr


def _left_out(command: Command, scene: Scene, long: bool) -> bool:
    if command.is_placeholder or command.text in scene.elsewhere:
        return True
    return command.text in scene.long and not long


def _qsim(arguments: list[str]) -> tuple[int, str]:
    """Run a command in this process, on no terminal; return its status and what it printed."""
    from qsim.cli import main

    stream = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    columns = os.environ.pop("COLUMNS", None)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(stream),
            contextlib.redirect_stderr(stream),
        ):
            warnings.simplefilter("ignore")  # deprecations inside torch and ExecuTorch
            status = main(arguments)
    finally:
        if columns is not None:
            os.environ["COLUMNS"] = columns
    stream.seek(0)
    return status, stream.read()

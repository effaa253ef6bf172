"""What Verilator says of somebody else's design on request, whatever simulates it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.atomic import refused, scratch
from qsim.cosim.simulators import messages, process, toolchain
from qsim.cosim.simulators.compile_errors import BuildError, first_error
from qsim.cosim.simulators.compilers import searched, write_texts
from qsim.cosim.simulators.wrapper import MODULE

if TYPE_CHECKING:
    from qsim.cosim.simulators.messages import Message
    from qsim.cosim.simulators.recipes import Recipe

_SECONDS: Final = 600.0


def lint(recipe: Recipe) -> list[Message]:
    """Return the warnings of Verilator's ``-Wall`` about the files of a design.

    Raises:
        MissingToolError: there is no usable Verilator.
        BuildError: it does not take the design, whatever another simulator says.
    """
    verilator = toolchain.find("verilator")
    with scratch("lint") as folder, refused(folder):
        done = process.run(
            [
                verilator.compiler,
                "--lint-only",
                "--timing",
                "-Wall",
                "-Wno-fatal",
                # Which file a module is in is no fault of it.
                "-Wno-DECLFILENAME",
                "--top-module",
                MODULE,
                *searched(recipe),
                *recipe.design.sources,
                *write_texts(recipe, folder),
            ],
            cwd=folder,
            environment=verilator.environ(),
            log=folder / "lint.log",
            timeout=_SECONDS,
        )
        if done.status or done.timed_out:
            place, message = first_error(done.text)
            raise BuildError(
                f"verilator --lint-only: {message or done.how}",
                where=place.replace(f"{folder}/", ""),
                accepted="RTL that Verilator takes",
            )
        found = messages.compiled(done.text, folder)
    return [each for each in found if not each.of_wrapper]

"""How a command fails: one line on stderr, or one JSON object on stdout, and an exit status.

| status | meaning                                                                         |
|--------|---------------------------------------------------------------------------------|
| 0      | done                                                                            |
| 1      | a difference was found (by the commands that compare)                           |
| 2      | bad usage or bad input                                                          |
| 3      | a needed tool or package is missing                                             |
| 4      | a defect of qsim itself                                                         |
| 130    | interrupted                                                                     |
| 141    | the reader of stdout went away                                                  |
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from typing import Any, Final

from qsim.atomic import FULL
from qsim.errors import QsimError, refusal

USAGE: Final = 2
INTERNAL: Final = 4
INTERRUPTED: Final = 130
CLOSED_PIPE: Final = 141


@dataclass(frozen=True)
class Failure:
    """What went wrong, ready to print.

    Attributes:
        status: exit status.
        kind: what kind of error; see ``qsim.errors``.
        message, where, accepted: as in ``QsimError``.
        line: the line for people.
    """

    status: int
    kind: str
    message: str
    where: str
    accepted: str
    line: str

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``--json``."""
        return {
            "error": {
                "kind": self.kind,
                "message": self.message,
                "where": self.where,
                "accepted": self.accepted,
            }
        }


def describe(error: BaseException) -> Failure:
    """Return the Failure that an exception stands for."""
    if isinstance(error, QsimError):
        return Failure(
            error.exit_status,
            error.kind,
            error.message,
            error.where,
            error.accepted,
            one_line(error),
        )
    if _is_contract_error(error):
        return Failure(2, "contract", one_line(error), "", "", one_line(error))
    if isinstance(error, KeyboardInterrupt):
        return Failure(INTERRUPTED, "interrupted", "interrupted", "", "", "interrupted")
    if isinstance(error, MemoryError):
        text = "not enough memory; less at a time needs less: --samples, --batch, --vectors"
        return Failure(2, "memory", text, "", "", text)
    # A disk that is full may be met anywhere, by other packages too.
    if isinstance(error, OSError) and error.errno in FULL:
        where = str(error.filename or tempfile.gettempdir())
        text = f"cannot be written: {refusal(error)}"
        return Failure(2, "usage", text, where, "", f"{where}: {text}")
    usage = getattr(error, "format_message", None)
    if usage is not None:
        return _usage(error, one_line(usage()))
    text = (
        f"internal error: {type(error).__name__}: {one_line(error)[:300]}; please report it "
        "(QSIM_DEBUG=1 shows the traceback)"
    )
    return Failure(INTERNAL, "internal", text, "", "", text)


def only_help(error: BaseException) -> bool:
    """Return whether the error stands for `qsim` without arguments: help is printed already."""
    # By name: where Typer keeps this class of Click's differs between its versions.
    return type(error).__name__ == "NoArgsIsHelpError"


def _usage(error: BaseException, text: str) -> Failure:
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", "qsim")
    text = f"{text[:1].lower()}{text[1:].rstrip('.')}"
    accepted = f"see `{command} --help`"
    return Failure(2, "usage", text, command, accepted, f"{text} ({accepted})")


def _is_contract_error(error: BaseException) -> bool:
    # Asked of the loaded modules: importing hw_models here would load Numba for every error.
    module = sys.modules.get("hw_models.errors")
    if module is None:
        return False
    kinds = ("ContractError", "AccumulatorOverflowError", "NonFiniteError", "IndexRangeError")
    return isinstance(error, tuple(getattr(module, name) for name in kinds))


def one_line(text: object) -> str:
    """Return text on one line, without control characters."""
    words = " ".join(str(text).split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words)

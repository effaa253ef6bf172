"""What qsim raises. Each class knows the exit status and the kind that `--json` prints.

A message is one line: what rule was broken, by what, and what would be accepted.
"""

from __future__ import annotations

from typing import ClassVar, Final, Self


class QsimError(Exception):
    """Bad usage or bad input: exit status 2.

    Attributes:
        message: what is wrong, showing the offender.
        where: the file, field, layer or argument; empty when there is none.
        accepted: what would have been accepted; empty when the message says all.
    """

    kind: ClassVar[str] = "error"
    exit_status: ClassVar[int] = 2

    def __init__(self, message: str, *, where: str = "", accepted: str = "") -> None:
        self.message = " ".join(str(message).split())
        self.where = where
        self.accepted = accepted
        super().__init__(self.message)

    @classmethod
    def of(cls, rule: str, offender: object, accepted: str, *, where: str = "") -> Self:
        """Return the error for a value that breaks a rule; the repr of a long offender is cut."""
        shown = repr(offender)
        shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
        return cls(f"{rule}, not {shown}", where=where, accepted=accepted)

    @classmethod
    def placed(cls, error: QsimError, where: str) -> Self:
        """Return what another error says, told of a place."""
        return cls(error.message, where=where, accepted=error.accepted)

    def __str__(self) -> str:
        line = f"{self.where}: {self.message}" if self.where else self.message
        return f"{line} (accepted: {self.accepted})" if self.accepted else line


class UsageError(QsimError):
    """An argument of the command line or of a public function is not acceptable."""

    kind = "usage"


class ModelError(QsimError):
    """A model cannot be found, imported, exported or lowered."""

    kind = "model"


class TargetError(QsimError):
    """A target contract is unknown, malformed or contradicts itself."""

    kind = "target"


class FileFormatError(QsimError):
    """A file is not what its name promises: truncated, damaged or of another version."""

    kind = "file"


class InputError(QsimError):
    """An input tensor has the wrong shape, type or values."""

    kind = "input"


class MissingToolError(QsimError):
    """A needed tool or optional package is not installed: exit status 3."""

    kind = "missing"
    exit_status = 3


def refusal(error: OSError) -> str:
    """Return why the operating system refused, in its own words: "permission denied"."""
    return (error.strerror or type(error).__name__).lower()


# What NumPy and torch say of pickles goes on with how to load them all the same.
_ADVICE: Final = ("allow_pickle", "weights_only", "weights only load failed")
_PICKLED: Final = "the file holds pickled Python objects, whose loading could run code"


def told(error: BaseException, length: int = 200) -> str:
    """Return what another library's error says, on one printable line, without unsafe advice.

    Args:
        error: any exception.
        length: characters, at most.
    """
    text = " ".join(str(error).split())
    if any(word in text.lower() for word in _ADVICE):
        text = _PICKLED
    return "".join(c for c in text if c.isprintable())[:length] or type(error).__name__

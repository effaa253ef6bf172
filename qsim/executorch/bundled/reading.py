"""A bundled program in Python: what the file holds, and all that can be done with it.

bundle = qsim.executorch.read_bundle("net.bpte")
bundle.program, bundle.cases, [result.ok for result in bundle.check()]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsim.errors import QsimError
from qsim.executorch import adapter
from qsim.executorch.bundled.checking import check
from qsim.executorch.bundled.file import read
from qsim.executorch.loading import Pte
from qsim.executorch.pte import read_bytes

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from qsim.executorch.bundled.case import BundledCase
    from qsim.executorch.bundled.checking import CaseResult
    from qsim.golden import GoldenSet


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A program with its cases.

    Attributes:
        program: the bytes of the ``.pte``.
        cases: in the order of the file: method by method.
        path: the file; empty for a bundle from bytes.
    """

    program: bytes
    cases: tuple[BundledCase, ...]
    path: str = ""

    def load(self, data: Sequence[bytes] = ()) -> Pte:
        """Return the program, ready to run.

        Args:
            data: the bytes of ``.ptd`` files with the constants that it keeps outside.

        Raises:
            QsimError: as ``qsim.executorch.load``.
        """
        try:
            return Pte(self.program, data, self.path)
        except QsimError as error:
            error.where = error.where or self.path
            raise

    def check(self, pte: Pte | None = None) -> list[CaseResult]:
        """Run every case, in order, and compare every bit.

        Args:
            pte: what runs them instead of the bundle's own program, such as the program of another
                backend, or one that was loaded with its ``.ptd`` files.

        Returns:
            One result per case: ``.ok``, and ``.differences`` with the first element that differs.

        Raises:
            QsimError: the program cannot be loaded or run, or ``pte`` has other inputs.
        """
        return check(self.cases, self.load() if pte is None else pte)

    def to_golden(self, directory: str | os.PathLike[str], *, force: bool = False) -> GoldenSet:
        """Write the cases as a golden set: see ``qsim.executorch.bundled.golden.write_set``."""
        # Only here: recording a set loads what reading a bundle does not need.
        from qsim.executorch.bundled.golden import write_set

        try:
            return write_set(self.program, self.cases, directory, name=self.path, force=force)
        except QsimError as error:
            error.where = error.where or self.path
            raise


def read_bundle(source: str | os.PathLike[str] | bytes) -> Bundle:
    """Read a bundled program and check all of it: cases fit the methods that they are for.

    Args:
        source: the path of a ``.bpte`` file, or its bytes.

    Raises:
        FileFormatError: it is missing, no bundled program, truncated, damaged or of another
            version, or a case does not fit the program.
        MissingToolError: ExecuTorch is not installed, or is of another version.
    """
    adapter.check()
    if isinstance(source, (bytes, bytearray, memoryview)):
        return Bundle(*read(bytes(source)))
    data = read_bytes(source, "a .bpte file")
    try:
        return Bundle(*read(data), str(source))
    except QsimError as error:
        error.where = error.where or str(source)
        raise

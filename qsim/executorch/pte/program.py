"""The methods of a ``.pte``, whole, as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.executorch.pte import plan
from qsim.executorch.pte.container import read_pte
from qsim.executorch.pte.external import External
from qsim.executorch.pte.tensors import Data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.executorch.pte.external import Absent
    from qsim.executorch.pte.method import Method


def read_methods(
    program: bytes, external: Sequence[bytes] = (), absent: Absent | None = None
) -> list[Method]:
    """Return the methods of a ``.pte`` in the order of the file, after every check of each.

    Args:
        program: the file.
        external: the bytes of ``.ptd`` files with the constants that it keeps outside.
        absent: called with the name of data that no file has, for what stands in its place; None
            refuses such a program.

    Raises:
        FileFormatError: a file is damaged or of another version, or data is missing.
        MissingToolError: ExecuTorch is not installed.
    """
    whole = read_pte(program)
    data = Data(whole, External(whole, external, absent).find)
    return [plan.read(table, data) for table in whole.root["execution_plan"]]

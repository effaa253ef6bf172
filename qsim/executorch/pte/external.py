"""Data that a program names instead of holding: its own named data, and ``.ptd`` files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.errors import FileFormatError
from qsim.executorch.pte import container

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qsim.executorch.pte.container import Container

    Absent = Callable[[str], memoryview]


class External:
    """Bytes by name.

    Args:
        program: the ``.pte``, whose named data is looked into last.
        files: the bytes of ``.ptd`` files.
        absent: called with a name that nothing has, for what stands in its place; None refuses it.

    Raises:
        FileFormatError: a file is damaged, or two hold one name.
    """

    def __init__(
        self, program: Container, files: Sequence[bytes], absent: Absent | None = None
    ) -> None:
        self._absent = absent
        self._found: dict[str, memoryview] = {}
        for entry in program.root["named_data"]:
            key = entry["key"] or ""
            self._found[key] = program.segment(int(entry["segment_index"]), f"named data {key!r}")
        seen: set[str] = set()
        for data in files:
            outside = container.read_ptd(data)
            for entry in outside.root["named_data"]:
                key = entry["key"] or ""
                if key in seen:
                    raise FileFormatError(f"data {key!r} is given twice")
                seen.add(key)
                self._found[key] = outside.segment(int(entry["segment_index"]), f"data {key!r}")

    def find(self, key: str, what: str) -> memoryview:
        """Return the bytes of a name.

        Raises:
            FileFormatError: nothing has them; the message names them and what wants them.
        """
        found = self._found.get(key)
        if found is None and self._absent is not None:
            return self._absent(key)
        if found is None:
            raise FileFormatError(
                f"{what} keeps its data outside the file, as {key!r}",
                accepted="data=[...] with the .ptd file that holds it",
            )
        return found

"""Which Python blocks of the documents are run, and where; none is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from tests.docs import blocks

Key = tuple[str, str]


class Blocks:
    """The blocks of some pages, each found by a line that it has."""

    def __init__(self, pages: Iterable[str]) -> None:
        self.pages = tuple(pages)
        self.run: set[Key] = set()

    def example(self, page: str, line: str) -> pytest.MarkDecorator:
        """Give a test the block of a page with a line that begins so, as ``example``."""
        self.run.add((page, line))
        return pytest.mark.parametrize("example", [(page, line)], indirect=True, ids=[page])

    def check(self, elsewhere: Mapping[Key, str], not_run: Mapping[Key, str]) -> None:
        """Require that every block is run here, run elsewhere, or said not to be code that runs."""
        known = [*self.run, *elsewhere, *not_run]
        assert len(set(known)) == len(known)
        accounted = sorted((page, blocks.block(page, line)) for page, line in known)
        assert accounted == sorted(
            (page, code) for page in self.pages for code in blocks.python(page)
        )
        for test in elsewhere.values():
            assert (blocks.ROOT / test).is_file(), test

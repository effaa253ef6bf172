"""A pytest plugin: arrays compared with golden files, to the bit.

    def test_my_model(assert_golden):
        assert_golden(my_model(x), "my_model")

``pytest --golden-update`` writes the files that such tests compare with; keep them under version
control. The plugin is loaded in every pytest run of an environment that has qsim, so it imports
nothing but pytest and small modules of the standard library until a test asks for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qsim.program import Array

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,119}")
_FROM_WORKERS: Final = "qsim_golden"
_INI: Final = "golden_dir"
_OPTION: Final = "--golden-update"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--golden-update`` and the ini option ``golden_dir``."""
    parser.addini(_INI, "folder of golden files, relative to the rootdir", default="golden")
    parser.getgroup("qsim").addoption(
        _OPTION,
        action="store_true",
        default=False,
        help="write the golden files that assert_golden compares with, and pass",
    )


class Updates:
    """What an update did.

    Attributes:
        digests: SHA-256 of what every file must hold, by path.
        written: the files that did not hold it.
        clashes: files that two tests want to hold different arrays.
    """

    def __init__(self) -> None:
        self.digests: dict[str, str] = {}
        self.written: set[str] = set()
        self.clashes: set[str] = set()

    def claim(self, path: str, digest: str) -> bool:
        """Note what a file must hold; return False where another test wants something else."""
        if self.digests.setdefault(path, digest) == digest:
            return True
        self.clashes.add(path)
        return False

    def dump(self) -> dict[str, Any]:
        """Return it as what pytest-xdist can send."""
        return {"digests": self.digests, "written": sorted(self.written)}

    def merge(self, dumped: dict[str, Any]) -> None:
        """Add what a worker did."""
        for path, digest in dumped["digests"].items():
            self.claim(path, digest)
        self.written.update(dumped["written"])


_UPDATES: Final = pytest.StashKey[Updates]()


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the list of what an update writes."""
    config.stash[_UPDATES] = Updates()


class Golden:
    """Golden files of one pytest run.

    Attributes:
        directory: where they are.
        update: whether they are written instead of compared with.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.directory = config.rootpath / str(config.getini(_INI))
        self.update = bool(config.getoption(_OPTION))
        self._updates = config.stash[_UPDATES]

    def path(self, name: str) -> Path:
        """Return the file of a name; fail the test if it is no safe file name."""
        __tracebackhide__ = True
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            pytest.fail(
                f"golden: not a file name: {name!r} (accepted: letters, digits, '_', '.', '-'; at "
                "most 120, the first no '.' or '-')"
            )
        return self.directory / f"{name}.npy"

    def check(self, array: Any, name: str, *, tolerance: int = 0) -> None:
        """Compare an integer array with its golden file; fail the test on any difference.

        Args:
            array: NumPy array, or what ``numpy.asarray`` makes one of, of integers or bools.
            name: of the file, without its suffix.
            tolerance: largest accepted difference in LSB; the failure says so.
        """
        __tracebackhide__ = True
        path = self.path(name)
        actual = _integers(array, name)
        if self.update:
            self._write(path, name, actual)
            return
        if not path.exists():
            pytest.fail(
                f"golden: there is no {path}\nwrite it with: pytest {_OPTION}; then look at it "
                "and keep it under version control"
            )
        from qsim.mismatch import compare

        mismatch = compare(_read(path), actual, tolerance=tolerance)
        if mismatch is not None:
            pytest.fail(f"golden: {name} is not {path}\n{mismatch}")

    def _write(self, path: Path, name: str, array: Array) -> None:
        """Write a file unless it holds the array already."""
        __tracebackhide__ = True
        import hashlib
        import io

        import numpy as np

        from qsim import atomic
        from qsim.errors import UsageError

        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.asarray(array, order="C"), allow_pickle=False)
        data = buffer.getvalue()
        if not self._updates.claim(str(path), hashlib.sha256(data).hexdigest()):
            pytest.fail(f"golden: two different arrays of this run are named {name!r}")
        if path.is_file() and path.read_bytes() == data:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_bytes(path, data)
        except (OSError, UsageError) as error:
            pytest.fail(f"golden: {error}")
        self._updates.written.add(str(path))


def _integers(array: Any, name: str) -> Array:
    __tracebackhide__ = True
    import numpy as np

    result: Array = np.asarray(array)
    if result.dtype.kind not in "iub":
        pytest.fail(
            f"golden: {name!r} must hold integers, not {result.dtype}: compare the codes, not the "
            "real numbers that they stand for"
        )
    return result.astype(result.dtype.newbyteorder("="), copy=False)


def _read(path: Path) -> Array:
    __tracebackhide__ = True
    import numpy as np

    from qsim import files
    from qsim.errors import told

    try:
        with files.opened(path) as file:
            array: Array = np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:  # NumPy reports damage as ValueError, EOFError, SyntaxError, ...
        reason = getattr(error, "message", None) or told(error)
        pytest.fail(f"golden: {path} is not a .npy file of integers: {reason}")
    if array.dtype.kind not in "iub":
        pytest.fail(f"golden: {path} holds {array.dtype}, not integers")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


@pytest.fixture(scope="session")
def golden(pytestconfig: pytest.Config) -> Golden:
    """Golden files: ``golden.check(array, name)``; see :class:`Golden`."""
    return Golden(pytestconfig)


@pytest.fixture(scope="session")
def assert_golden(golden: Golden) -> Callable[..., None]:
    """``assert_golden(array, name)``: fail unless the array is the golden file, bit for bit."""
    return golden.check


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what a worker of pytest-xdist did to the process that reports."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_FROM_WORKERS] = session.config.stash[_UPDATES].dump()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Collect what a worker did; one that crashed tells nothing."""
    del error
    dumped = getattr(node, "workeroutput", {}).get(_FROM_WORKERS)
    if dumped is not None:
        node.config.stash[_UPDATES].merge(dumped)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """List what an update wrote."""
    updates = config.stash[_UPDATES]
    if updates.written:
        terminalreporter.section("golden files written")
        for path in sorted(updates.written):
            terminalreporter.line(path)
    for path in sorted(updates.clashes):
        terminalreporter.line(f"ERROR: two tests want different arrays in {path}", red=True)

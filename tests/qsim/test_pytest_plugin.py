"""The pytest plugin in a repository of somebody else's: a folder, a pytest process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from tests import fresh

TESTS = """
import numpy as np
import pytest

X = np.arange(-12, 12, dtype=np.int8).reshape(1, 2, 3, 4)

def test_codes(assert_golden):
    assert_golden(X + SHIFT, "codes")

def test_more(golden):
    golden.check(X.astype(np.int32), "more.codes-2")

def test_flags(golden):
    golden.check(X > 0, "flags")
    golden.check(np.array(7), "scalar")
"""


class Repository:
    """A user's repository with one test file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write(TESTS)

    def write(self, text: str, shift: int = 0) -> None:
        source = text.replace("SHIFT", f"np.int8({shift})")
        (self.path / "test_mine.py").write_text(source)

    def pytest(self, *arguments: str) -> tuple[int, str]:
        """Run pytest as that user would, with this plugin (and no other but xdist) loaded."""
        environment = os.environ | {
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": str(fresh.ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        plugins = ["-p", "qsim.pytest_plugin", "-p", "xdist", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-W", "error", *plugins, *arguments],
            cwd=self.path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    @property
    def golden(self) -> Path:
        return self.path / "golden"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return Repository(tmp_path)


def test_a_golden_file_is_made_and_compared_with(repository: Repository) -> None:
    code, out = repository.pytest()
    assert code == 1
    assert "3 failed" in out
    assert f"golden: there is no {repository.golden}/codes.npy" in out
    assert "write it with: pytest --golden-update" in out
    assert not repository.golden.exists()
    code, out = repository.pytest("--golden-update")
    assert code == 0
    assert "golden files written" in out
    files = ["codes.npy", "flags.npy", "more.codes-2.npy", "scalar.npy"]
    assert sorted(path.name for path in repository.golden.iterdir()) == files
    assert all(f"{repository.golden}/{name}\n" in out for name in files)
    codes = np.load(repository.golden / "codes.npy", allow_pickle=False)
    assert np.array_equal(codes, np.arange(-12, 12, dtype=np.int8).reshape(1, 2, 3, 4))
    assert np.load(repository.golden / "scalar.npy").shape == ()
    code, out = repository.pytest()
    assert (code, "3 passed" in out) == (0, True)
    assert "golden files written" not in out


def test_a_difference_is_shown(repository: Repository) -> None:
    repository.pytest("--golden-update")
    before = {path.name: path.read_bytes() for path in repository.golden.iterdir()}
    repository.write(TESTS, shift=3)
    code, out = repository.pytest()
    assert code == 1
    assert "1 failed, 2 passed" in out
    for line in (
        "first difference at n=0, c=0, h=0, w=0",
        "  expected  -12  0xf4",
        "  actual     -9  0xf7",
        "24 of 24 elements differ",
        "  +3  24  ##############################",
    ):
        assert line in out
    assert "pytest_plugin.py" not in out  # the test's own line is what is shown
    assert "test_mine.py:8" in out
    assert {path.name: path.read_bytes() for path in repository.golden.iterdir()} == before
    code, out = repository.pytest("--golden-update")
    assert code == 0
    listed = [line for line in out.splitlines() if line.endswith(".npy")]
    assert listed == [f"{repository.golden}/codes.npy"]
    assert repository.pytest()[0] == 0


def test_shape_and_dtype_count(repository: Repository) -> None:
    repository.pytest("--golden-update")
    repository.write(TESTS.replace("X + SHIFT", "X[0]"))
    assert "shape differs" in repository.pytest()[1]
    repository.write(TESTS.replace("X + SHIFT", "X.astype(np.int16)"))
    assert "dtype differs" in repository.pytest()[1]


def test_a_tolerance_is_printed(repository: Repository) -> None:
    repository.pytest("--golden-update")
    changed = TESTS.replace('X + SHIFT, "codes"', 'X + np.int8(3), "codes", tolerance=LSB')
    repository.write(changed.replace("LSB", "3"))
    assert repository.pytest()[0] == 0
    repository.write(changed.replace("LSB", "2"))
    code, out = repository.pytest()
    assert code == 1
    assert "differ by more than the tolerance of 2 LSB" in out


@pytest.mark.parametrize("update", [(), ("--golden-update",)])
def test_bad_names_and_arrays_fail(repository: Repository, update: tuple[str, ...]) -> None:
    names = ["", ".", "..", "../x", "a/b", "a\\\\b", ".x", "-x", "a b", "x" * 121, "x\\n"]
    repository.write(
        "import numpy as np, pytest\n"
        f"@pytest.mark.parametrize('name', {names!r})\n"
        "def test_name(golden, name):\n    golden.check(np.arange(3), name)\n"
        "def test_type(golden):\n    golden.check(np.arange(3), 3)\n"
        "def test_real(golden):\n    golden.check(np.arange(3) / 2, 'real')\n"
        "def test_object(golden):\n    golden.check(np.array([None]), 'object')\n"
    )
    code, out = repository.pytest(*update)
    assert code == 1
    assert f"{len(names) + 3} failed" in out
    assert "passed" not in out
    assert "golden: not a file name: '../x'" in out
    assert "'real' must hold integers, not float64" in out
    assert not repository.golden.exists()


def test_a_golden_file_that_is_damaged_or_holds_a_pickle_fails(repository: Repository) -> None:
    repository.pytest("--golden-update")
    (repository.golden / "codes.npy").write_bytes(b"\x93NUMPY")
    np.save(repository.golden / "flags.npy", np.array([None]), allow_pickle=True)
    np.save(repository.golden / "more.codes-2.npy", np.zeros(3))
    code, out = repository.pytest()
    assert code == 1
    assert "3 failed" in out
    assert "codes.npy is not a .npy file of integers" in out
    assert "flags.npy is not a .npy file of integers: the file holds pickled Python objects" in out
    assert "holds float64, not integers" in out


def test_two_arrays_of_one_name_are_told(repository: Repository) -> None:
    repository.write(TESTS.replace('"more.codes-2"', '"codes"'))
    code, out = repository.pytest("--golden-update")
    assert code == 1
    assert "two different arrays of this run are named 'codes'" in out


def test_workers_of_xdist(repository: Repository) -> None:
    code, out = repository.pytest("--golden-update", "-n", "2")
    assert code == 0
    assert out.count(".npy\n") == 4
    assert repository.pytest("-n", "2")[0] == 0
    repository.write(TESTS, shift=1)
    code, out = repository.pytest("-n", "2")
    assert code == 1
    assert "24 of 24 elements differ" in out


def test_the_folder_can_be_chosen(repository: Repository) -> None:
    (repository.path / "pytest.ini").write_text("[pytest]\ngolden_dir = data/expected\n")
    assert repository.pytest("--golden-update")[0] == 0
    assert (repository.path / "data" / "expected" / "codes.npy").is_file()
    assert not repository.golden.exists()
    assert repository.pytest()[0] == 0


def test_a_fixture_of_ones_own_wins(repository: Repository) -> None:
    repository.write(
        "import pytest\n@pytest.fixture\ndef golden():\n    return 3\n"
        "def test_mine(golden):\n    assert golden == 3\n"
    )
    assert repository.pytest()[0] == 0


def test_the_plugin_loads_next_to_nothing() -> None:
    heavy = ("torch", "numba", "numpy", "hw_models", "rich", "typer", "safetensors")
    code = "import pytest, qsim.pytest_plugin"
    assert fresh.loaded(code, *heavy) == fresh.loaded("import pytest", *heavy)


def test_the_package_declares_the_plugin() -> None:
    project = tomllib.loads((fresh.ROOT / "pyproject.toml").read_text())["project"]
    declared = project["entry-points"]["pytest11"]
    assert declared == {"qsim": "qsim.pytest_plugin"}
    assert import_module(declared["qsim"]).pytest_addoption

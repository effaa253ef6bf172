"""``python -m tools.lowest``: do the lower ends of pyproject.toml's ranges work?

Makes `build/lowest/.venv` with the lowest release of each package that the ranges allow (and the
newest of what these ask for), and runs there: the digits network, every primitive, some of qsim,
and the peers that have a range. ExecuTorch is left out: it has no range, and narrows others'.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name

from tools.lock.pins import parse
from tools.lock.renew import uv_resolve
from tools.lock.sets import BUILD_DEPENDENT, BUILD_DEPENDENT_PREFIXES, ROOT, TEST

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = ROOT / "build" / "lowest"
PYTHON: Final = FOLDER / ".venv" / "bin" / "python"
LEFT_OUT: Final = ("executorch", "tosa-tools")
TESTS: Final = (
    "tests/hw_models",
    "tests/qsim/program/test_program.py",
    "tests/qsim/cli/test_text.py",
    "tests/qsim/cli/test_listing.py",
    "tests/peers/test_apytypes.py",
    "tests/peers/onnxruntime/test_pointwise.py",
    "tests/peers/onnxruntime/test_products.py",
    "tests/peers/test_targets.py",
)


def main() -> int:
    """Resolve, install, run; exit status 1 where something fails."""
    releases = resolve()
    asked = {canonicalize_name(one.name) for one in TEST.requirements()}
    print("\n".join(f"{name}=={release}" for name, release in releases.items() if name in asked))
    install(releases)
    ran = _status("-m", "qsim", "run", "--help") or _status("-m", "qsim", "run", "digits")
    # Old packages use what the newest of others deprecate: their warnings are no errors here.
    options = (
        "-o",
        "filterwarnings=default",
        "-p",
        "no:cacheprovider",
        "-n",
        "2",
        "-m",
        "not soak",
    )
    tested = _status("-m", "pytest", *options, *TESTS)
    return 1 if ran or tested else 0


def _status(*words: str) -> int:
    return subprocess.run([str(PYTHON), *words], cwd=ROOT, check=False).returncode


def resolve() -> dict[str, str]:
    """Return the lowest releases that the ranges allow, and the newest of what they ask for."""
    words = [str(one) for one in TEST.requirements() if canonicalize_name(one.name) not in LEFT_OUT]
    text = uv_resolve(words, ["--resolution", "lowest-direct", "--python", sys.executable])
    return {name: str(pins[0].version) for name, pins in parse(text).items()}


def install(releases: dict[str, str]) -> None:
    """Make the environment anew: torch apart, as `tools.bootstrap` does."""
    if FOLDER.exists():
        shutil.rmtree(FOLDER)
    _run(sys.executable, "-m", "venv", FOLDER / ".venv")
    pip = (PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    pins = [
        f"{name}=={release}"
        for name, release in releases.items()
        if name != BUILD_DEPENDENT and not name.startswith(BUILD_DEPENDENT_PREFIXES)
    ]
    _run(*pip, "--no-deps", f"setuptools=={releases['setuptools']}")
    _run(*pip, "--no-deps", "--no-build-isolation", *pins)
    _run(*pip, f"{BUILD_DEPENDENT}=={releases[BUILD_DEPENDENT]}")
    _run(*pip, "--no-deps", "--no-build-isolation", "--editable", ROOT)


def _run(*command: str | Path) -> None:
    if subprocess.run([str(word) for word in command], check=False).returncode:
        sys.exit(f"lowest: this command failed, see above: {' '.join(map(str, command))}")


if __name__ == "__main__":
    sys.exit(main())

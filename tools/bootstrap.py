"""Make, check or rebuild `.venv`. Standard library only: runs before anything is installed.

    python3 tools/bootstrap.py EXTRA...     `models` for `make run`, all of them for tests

The environment is complete when its stamp says so *and* every file that its packages recorded is
still there with its recorded size. Anything else (an interrupted install, a deleted package,
another Python, changed requirements) is told in one line and rebuilt or brought up to date.
"""

from __future__ import annotations

import csv
import ctypes.util
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "qsim-stamp.json"
PYTHON = VENV / "bin" / "python"
# Torch goes first and alone: where pip finds a CPU build, nothing else may widen the choice.
FIRST = "torch=="
# For the extra `peers`, without what it asks for: it pins releases of NumPy and ml_dtypes that
# other peers refuse, and works with theirs.
ALONE = ("tosa-tools==2026.8.0",)
# What the extra `cosim` takes from the system: program, Debian's package.
TOOLS = (("iverilog", "iverilog"), ("g++", "g++"), ("make", "make"), ("perl", "perl"))


def say(text: str) -> None:
    """Print progress to stderr; stdout belongs to the command that make runs next."""
    print(f"bootstrap: {text}", file=sys.stderr, flush=True)


def run(*command: str | Path) -> None:
    """Run a command, its output to stderr; stop with a clear line when it fails."""
    words = [str(word) for word in command]
    if subprocess.run(words, stdout=sys.stderr, check=False).returncode != 0:
        sys.exit(f"bootstrap: this command failed, see above: {' '.join(words)}")


def requirements_digest() -> str:
    """Return what the installed set depends on: the project's metadata and this script."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    digest.update((ROOT / "pyproject.toml").read_bytes())
    return digest.hexdigest()


def damage(site: Path) -> str:
    """Return the first recorded file that is missing or has another size, or an empty string."""
    for record in sorted(site.glob("*.dist-info/RECORD")):
        with record.open(newline="", encoding="utf-8") as rows:
            for name, _digest, size in csv.reader(rows):
                if not size:  # compiled files and RECORD itself are recorded without a size
                    continue
                try:
                    found = (site / name).stat().st_size
                except OSError:
                    return f"{name} is missing"
                # A wheel's own scripts get this environment's Python as their first line.
                if found != int(size) and not name.startswith("../"):
                    return f"{name} has {found} bytes instead of {size}"
    return ""


def site_packages() -> Path:
    """Return the environment's package folder."""
    return VENV / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"


def why_broken() -> str:
    """Return why the environment cannot be kept, or an empty string."""
    if not PYTHON.exists():
        return "it has no Python"
    wanted = sys.version_info[:2]
    probe = [str(PYTHON), "-c", f"import sys; sys.exit(sys.version_info[:2] != {wanted!r})"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        return f"its Python does not run, or is not {wanted[0]}.{wanted[1]}"
    if not STAMP.exists():
        return "its set-up was not finished"
    return damage(site_packages())


def stamp() -> dict[str, object]:
    """Return the stamp of the environment, empty when it cannot be read."""
    try:
        loaded = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def apt_install(packages: list[str]) -> None:
    """Install Debian packages."""
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    run(*sudo, "apt-get", "update")
    run(*sudo, "apt-get", "install", "-y", "--no-install-recommends", *packages)


def lacking_tools() -> list[str]:
    """Return the Debian packages that co-simulation needs and this machine lacks."""
    packages = [package for program, package in TOOLS if shutil.which(program) is None]
    # cocotb loads Python as a shared library; Debian packs that apart.
    shared = ctypes.util.find_library(f"python3.{sys.version_info.minor}")
    if sys.base_prefix == "/usr" and shared is None:
        packages.append(f"libpython3.{sys.version_info.minor}")
    return packages


def create() -> None:
    """Create an empty environment; install Debian's venv module first where it is missing."""
    if VENV.is_dir() and not VENV.is_symlink():
        shutil.rmtree(VENV)
    else:
        VENV.unlink(missing_ok=True)
    probe = [sys.executable, "-c", "import ensurepip, venv"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        say("this Python has no venv module; installing Debian's python3-venv")
        apt_install(["python3-venv"])
    run(sys.executable, "-m", "venv", VENV)


def install(extras: set[str]) -> None:
    """Install the project with its extras, editable; torch first."""
    import tomllib  # here, so that an older Python gets as far as the message about its version

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    torch = [word for word in project["dependencies"] if word.startswith(FIRST)]
    pip = (PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    say("installing torch (CPU)")
    run(*pip, *torch)
    say(f"installing qsim with extras: {', '.join(sorted(extras)) or 'none'}")
    run(*pip, "--editable", f"{ROOT}[{','.join(sorted(extras))}]" if extras else str(ROOT))
    if "peers" in extras:
        run(*pip, "--no-deps", *ALONE)


def main(arguments: list[str]) -> int:
    """Bring `.venv` to the wanted state; do nothing when it is there already."""
    if sys.version_info < (3, 11):
        sys.exit(f"bootstrap: Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    wanted, digest = set(arguments), requirements_digest()
    lacking = lacking_tools() if "cosim" in wanted else []
    if lacking:
        say(f"installing Debian's {', '.join(lacking)} for co-simulation")
        apt_install(lacking)
    broken = why_broken()
    if broken:
        if VENV.exists():
            say(f"rebuilding .venv: {broken}")
        create()
    old = stamp()
    have = {str(extra) for extra in old.get("extras", [])} if not broken else set()  # type: ignore[attr-defined]
    # An editable install remembers the folder it was made in: a moved checkout is set up anew.
    if wanted <= have and old.get("digest") == digest and old.get("root") == str(ROOT):
        return 0
    STAMP.unlink(missing_ok=True)
    extras = wanted | have
    install(extras)
    text = json.dumps({"digest": digest, "extras": sorted(extras), "root": str(ROOT)})
    temporary = STAMP.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(STAMP)
    say("done")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

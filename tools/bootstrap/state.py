"""What `.venv` holds, what the lock says, and whether the two still agree."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
STAMP = VENV / "qsim-stamp.json"
PYTHON = VENV / "bin" / "python"
# `test` holds all of `run`.
SETS = ("run", "test")


class Stamp(NamedTuple):
    """What was installed, from what, for which folder, and the releases that the lock gave."""

    which: str = ""
    digest: str = ""
    root: str = ""
    releases: Mapping[str, str] = MappingProxyType({})

    @property
    def rank(self) -> int:
        """Return how much is installed: the set's place in SETS, -1 for none."""
        return SETS.index(self.which) if self.which in SETS else -1

    def write(self) -> None:
        """Write it into the environment."""
        temporary = STAMP.with_suffix(".tmp")
        text = json.dumps({**self._asdict(), "releases": dict(self.releases)})
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(STAMP)


def stamp() -> Stamp:
    """Return the stamp of the environment, empty when it cannot be read."""
    try:
        return Stamp(**json.loads(STAMP.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Stamp()


def lock(which: str) -> Path:
    """Return the locked requirements of a set."""
    return ROOT / "requirements" / f"{which}.txt"


def digest() -> str:
    """Return what the installed set depends on: the lock, the project's metadata, this program."""
    found = hashlib.sha256()
    program = sorted(Path(__file__).parent.glob("*.py"))
    for path in (*program, ROOT / "pyproject.toml", *map(lock, SETS)):
        found.update(path.read_bytes())
    return found.hexdigest()


def pinned(which: str) -> dict[str, set[str]]:
    """Return the releases that the lock has of each package; several where markers choose."""
    found: dict[str, set[str]] = {}
    for line in lock(which).read_text(encoding="utf-8").splitlines():
        pin = re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", line)
        if pin:
            found.setdefault(_normal(pin[1]), set()).add(pin[2])
    return found


def installed() -> dict[str, str]:
    """Return the release of each package of the environment; of a package found twice, both."""
    found: dict[str, str] = {}
    for record in sorted(site_packages().glob("*.dist-info")):
        name, _, release = record.name.removesuffix(".dist-info").partition("-")
        name = _normal(name)
        found[name] = f"{found[name]} and {release}" if name in found else release
    return found


def _normal(name: str) -> str:
    """Return a package's name as all of its spellings compare (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def changed(now: Mapping[str, str], then: Mapping[str, str]) -> str:
    """Return the first package that is not as it was installed, or an empty string."""
    for name, release in then.items():
        if now.get(name) != release:
            return f"{name} is {now.get(name, 'missing')}, the lock gave {release}"
    return ""


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


def foreign() -> str:
    """Return why the environment is that of another checkout, or an empty string.

    A checkout that was moved has an editable install of a folder that is gone: it is set up anew.
    """
    if VENV.is_symlink() and stamp().root != str(ROOT):
        return f".venv is a link to {VENV.readlink()}"
    for record in site_packages().glob("qsim-*.dist-info/direct_url.json"):
        try:
            url = str(json.loads(record.read_text(encoding="utf-8"))["url"])
        except (OSError, ValueError, TypeError, KeyError):
            continue
        place = Path(unquote(urlsplit(url).path))
        if (place / "pyproject.toml").is_file() and not place.samefile(ROOT):
            return f".venv has qsim installed from {place}"
    return ""


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

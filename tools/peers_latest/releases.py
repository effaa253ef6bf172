"""Which releases of the peers are locked, which are newest, and which of these can be installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.lock.pins import parse
from tools.lock.renew import uv_resolve
from tools.lock.sets import BUILD_DEPENDENT, BUILD_DEPENDENT_PREFIXES, ROOT, TEST, LockedSet

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = ROOT / "build" / "peers-latest"
SITE: Final = FOLDER / "site"
PEERS: Final = LockedSet(name="peers", extras=("peers",), groups=("alone",))


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One peer: its locked release, the newest that there is, and the one to try.

    ``trial`` is older than ``newest`` where the newest asks for what qsim pins otherwise.
    """

    name: str
    locked: str
    newest: str
    trial: str

    @property
    def changed(self) -> bool:
        """Return whether there is something to try."""
        return self.trial != self.locked


def names() -> list[str]:
    """Return the peers: the extra `peers` and the group `alone`, of pyproject.toml."""
    asked = PEERS.requirements()
    core = {canonicalize_name(one.name) for one in LockedSet(name="core", extras=()).requirements()}
    return sorted({canonicalize_name(one.name) for one in asked} - core)


def find(chosen: list[str]) -> tuple[list[Peer], dict[str, str]]:
    """Return the peers, torch last, and what else must change with them (name: release).

    torch is a peer that qsim pins: its newest release is told, and never tried.

    Args:
        chosen: requirements such as ``onnxruntime==1.30.0``, instead of the newest releases.

    Raises:
        SystemExit: a chosen package is no peer, or uv finds no solution.
    """
    peers = names()
    asked = {name: name for name in peers}
    for word in chosen:
        name = canonicalize_name(Requirement(word).name)
        if name not in asked:
            sys.exit(f"peers-latest: {name} is not a peer; accepted: {', '.join(peers)}")
        asked[name] = word
    locked = {name: str(pins[0].version) for name, pins in TEST.pins().items()}
    if chosen:  # the others stay where they are
        asked = {
            name: word if word != name else f"{name}=={locked[name]}"
            for name, word in asked.items()
        }
    rest = [str(one) for one in TEST.requirements() if canonicalize_name(one.name) not in asked]
    newest = _releases([*peers, BUILD_DEPENDENT], ["--no-deps"])
    FOLDER.mkdir(parents=True, exist_ok=True)
    # uv keeps what the output holds, but for what it is told to upgrade.
    output = FOLDER / "resolved.txt"
    shutil.copyfile(TEST.path, output)
    upgrade = [word for name in peers for word in ("--upgrade-package", name)]
    _releases([*rest, *asked.values()], [*upgrade, "--output-file", str(output)])
    found = _read(output.read_text(encoding="utf-8"))
    tried = [
        Peer(name=name, locked=locked[name], newest=newest[name], trial=found[name])
        for name in peers
    ]
    pinned = found[BUILD_DEPENDENT]
    torch = Peer(name=BUILD_DEPENDENT, locked=pinned, newest=newest[BUILD_DEPENDENT], trial=pinned)
    others = {
        name: release
        for name, release in found.items()
        if name not in asked and name != BUILD_DEPENDENT and locked.get(name) != release
        and not name.startswith(BUILD_DEPENDENT_PREFIXES)
    }  # fmt: skip
    return [*tried, torch], others


def _releases(requirements: list[str], options: list[str]) -> dict[str, str]:
    return _read(uv_resolve(requirements, ["--python", sys.executable, *options]))


def _read(text: str) -> dict[str, str]:
    return {name: str(pins[0].version) for name, pins in parse(text).items()}


def install(releases: dict[str, str]) -> Path:
    """Install these releases, and nothing that they ask for, into an empty SITE; return it."""
    if SITE.exists():
        shutil.rmtree(SITE)
    words = [f"{name}=={release}" for name, release in sorted(releases.items())]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, "--no-deps", "--target", str(SITE), *words], check=False)
    if done.returncode:
        sys.exit(f"peers-latest: pip did not install {' '.join(words)}, see above")
    return SITE

"""Make, check or rebuild `.venv`. Standard library only: runs before anything is installed.

    python3 -m tools.bootstrap run|test     what `make run` needs, or what `make test` needs

What is installed is the lock, `requirements/run.txt` or `requirements/test.txt` (`tools.lock` makes
them). The environment is complete when its stamp says so, every package still has the release that
the lock gave it, *and* every file that its packages recorded is there with its recorded size.
Anything else (an interrupted install, a deleted package, another Python, a renewed lock) is told in
one line and rebuilt or brought up to date. An environment of another checkout is left alone.
"""

from __future__ import annotations

import sys

from tools.bootstrap import install, state, system
from tools.bootstrap.say import say
from tools.bootstrap.state import SETS


def main(arguments: list[str]) -> int:
    """Bring `.venv` to the wanted state; do nothing when it is there already."""
    if sys.version_info < (3, 11):
        sys.exit(f"bootstrap: Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    if len(arguments) != 1 or arguments[0] not in SETS:
        sys.exit(f"bootstrap: expected one of {', '.join(SETS)}, not: {' '.join(arguments)}")
    foreign = state.foreign()
    if foreign:
        sys.exit(
            f"bootstrap: {foreign}, so it belongs to another checkout and stays as it is "
            "(accepted: no .venv here; it is made then)"
        )
    wanted, digest = SETS.index(arguments[0]), state.digest()
    lacking = system.lacking_tools() if arguments[0] == "test" else []
    if lacking:
        say(f"installing Debian's {', '.join(lacking)} for co-simulation")
        system.apt_install(lacking)
    broken = state.why_broken()
    if broken:
        if state.VENV.exists():
            say(f"rebuilding .venv: {broken}")
        system.create(state.VENV)
    old = state.Stamp() if broken else state.stamp()
    moved = state.changed(state.installed(), old.releases)
    # An editable install remembers the folder it was made in: a moved checkout is set up anew.
    if wanted <= old.rank and not moved and (old.digest, old.root) == (digest, str(state.ROOT)):
        return 0
    if moved:
        say(f"putting the lock's releases back: {moved}")
    state.STAMP.unlink(missing_ok=True)
    which = SETS[max(wanted, old.rank)]
    releases = install.install(which, old.releases)
    state.Stamp(which, digest, str(state.ROOT), releases).write()
    say("done")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""``python -m tools.peers_latest``: run tests/peers against the newest releases of the peers.

The newer packages go into `build/peers-latest/site`, before `.venv`'s on the path: `.venv` stays as
the lock has it. Name releases (``onnxruntime==1.30.0``) to compare these instead of the newest.
Exit status 1 where a test that passes with the locked releases fails with the others.
"""

from __future__ import annotations

import argparse
import sys

from tools.peers_latest.releases import SITE, find, install
from tools.peers_latest.report import table, text
from tools.peers_latest.rules import using
from tools.peers_latest.trial import trial


def main() -> int:
    """Find, install, run, confirm with the locked releases, and print."""
    parser = argparse.ArgumentParser(prog="python -m tools.peers_latest", description=__doc__)
    parser.add_argument("releases", nargs="*", metavar="PEER==X.Y", help="instead of the newest")
    parser.add_argument("--workers", type=int, default=2, help="processes that run tests")
    options = parser.parse_args()
    peers, others = find(options.releases)
    print(table(peers, others), flush=True)
    changed = [peer for peer in peers if peer.changed]
    if not changed:
        print("Nothing is newer that can be installed: no test was run.")
        return 0
    modules = {peer.name: using(peer.name) for peer in changed}
    install({**{peer.name: peer.trial for peer in changed}, **others})
    files = sorted(set().union(*modules.values()))
    results = trial(files, SITE, {peer.name: peer.trial for peer in changed}, options.workers)
    failed = [result.test for result in results if result.failed]
    before = trial(failed, None, {}, options.workers) if failed else []
    known = {result.test for result in before if result.failed}
    print(text(changed, modules, results, known))
    return 1 if set(failed) - known else 0


if __name__ == "__main__":
    sys.exit(main())

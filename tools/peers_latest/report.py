"""The text of `make peers-latest`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tools.peers_latest.rules import rule

if TYPE_CHECKING:
    from tools.peers_latest.releases import Peer
    from tools.peers_latest.trial import Result


def table(peers: list[Peer], others: dict[str, str]) -> str:
    """Return every peer's releases, one line each, and what else must change with them."""
    rows = [("peer", "locked", "newest", "tried")]
    rows += [
        (peer.name, peer.locked, peer.newest, peer.trial if peer.changed else "-") for peer in peers
    ]
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    lines = ["  ".join(word.ljust(w) for word, w in zip(row, widths, strict=True)).rstrip()
             for row in rows]  # fmt: skip
    lines += [
        f"{peer.name} {peer.newest} does not go with what qsim pins: not tried"
        for peer in peers
        if peer.newest not in (peer.locked, peer.trial) and not peer.changed
    ]
    lines += [f"with them: {name} {release}" for name, release in sorted(others.items())]
    return "\n".join(lines)


def text(
    changed: list[Peer], modules: dict[str, list[str]], results: list[Result], known: set[str]
) -> str:
    """Return, peer by peer, what passed and what failed, with rule and difference.

    Args:
        changed: the peers that were tried.
        modules: the test modules that use each.
        results: of all tests that were run.
        known: tests that fail with the locked releases too.
    """
    lines: list[str] = []
    for peer in changed:
        mine = [one for one in results if one.test.partition("::")[0] in modules[peer.name]]
        count = Counter(one.outcome for one in mine)
        figures = ", ".join(f"{count[word]} {word}" for word in ("passed", "failed", "skipped"))
        lines += ["", f"{peer.name} {peer.locked} -> {peer.trial}: {figures}"]
        for one in (one for one in mine if one.failed):
            lines += [f"  {one.test}", f"    rule: {rule(one.test)}", f"    now:  {one.message}"]
            if one.test in known:
                lines += ["    fails with the locked releases too: the peer did not change"]
    new = {one.test for one in results if one.failed} - known
    lines += ["", f"{len(new)} of {len(results)} tests changed." if new else "Nothing changed."]
    return "\n".join(lines)

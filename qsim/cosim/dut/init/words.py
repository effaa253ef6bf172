"""The words of names: what a port is likely to be, by how people call it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_PIECES: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# Which side a port is on, and what it is made of: no meaning of its own.
_AFFIXES: Final = frozenset(
    [
        "i",
        "o",
        "in",
        "out",
        "inp",
        "outp",
        "input",
        "output",
        "s",
        "m",
        "d",
        "q",
        "r",
        "reg",
        "axis",
        "axi",
        "st",
        "cfg",
        "csr",
        "port",
        "w",
    ]
)
_SPLIT: Final = {
    f"t{word}": word for word in ("valid", "ready", "last", "data", "keep", "strb", "user")
} | {"pvld": "valid", "prdy": "ready", "pd": "data"}

VALID: Final = frozenset(["valid", "vld", "val", "dv", "stb", "strobe", "vd", "req", "enb"])
READY: Final = frozenset(["ready", "rdy", "rd", "ack", "grant", "gnt"])
LAST: Final = frozenset(["last", "eop", "eof", "final", "tlast", "end"])
CLEAR: Final = frozenset(["valid", "vld", "ready", "rdy", "last", "eop"])
START: Final = frozenset(["start", "go", "begin", "launch", "trigger"])
DONE: Final = frozenset(["done", "finish", "finished", "fin", "complete", "completed"])
BUSY: Final = frozenset(["busy", "running", "active"])
CLOCK: Final = frozenset(["clk", "clock", "aclk", "ck", "clks"])
RESET: Final = frozenset(
    ["rst", "reset", "areset", "arst", "nrst", "nreset", "rstn", "resetn", "arstn", "aresetn"]
)
# Inputs that a binding ties: to 1 and to 0.
ONE: Final = frozenset(["en", "ena", "enable", "ce", "clken", "cken", "cen", "run"])
ZERO: Final = frozenset(
    [
        "clr",
        "clear",
        "flush",
        "test",
        "scan",
        "bypass",
        "stall",
        "halt",
        "abort",
        "soft",
        "debug",
        "tm",
        "dft",
        "mode",
    ]
)
LOAD: Final = frozenset(["load", "we", "wr", "wen", "write"])
REGISTERS: Final = frozenset(["cfg", "csr", "reg", "config", "param", "static", "layer"])


def words(name: str) -> list[str]:
    """Return the words of a name in lower case: ``s_axis_tValid`` is s, axis, valid."""
    found: list[str] = []
    for piece in _PIECES.findall(name.rpartition(".")[2] if "." in name else name):
        low = piece.lower()
        found.append(_SPLIT.get(low, low))
    return found


def meaning(name: str) -> list[str]:
    """Return the words of a name that say what it is; all of them where none do."""
    every = words(name)
    kept = [word for word in every if word not in _AFFIXES]
    return kept or every


def has(name: str, wanted: Iterable[str]) -> bool:
    """Return whether a word of a name is wanted, with or without n in front or behind."""
    own = set(words(name))
    return any(own & {word, f"{word}n", f"n{word}", f"{word}i", f"{word}o"} for word in wanted)


def is_kind(name: str, kind: Iterable[str], others: Iterable[str]) -> bool:
    """Return whether a name says that a port is of a kind: by its last word, or clearly by another.

    ``req_ready`` is a ready, though ``req`` alone is a valid.
    """
    own = [
        word.removesuffix("n") if word.endswith(("dn", "yn")) else word for word in meaning(name)
    ]
    if own[-1] in ("n", "ni", "no") and len(own) > 1:
        own.pop()
    if own[-1] in kind:
        return True
    return bool(set(own) & set(kind) & CLEAR) and own[-1] not in others


def is_low(name: str) -> bool:
    """Return whether a name says that a port is active low: ``rst_n``, ``nReset``, ``resetn``."""
    own = words(name.removesuffix("_i").removesuffix("_o"))
    first, last = own[0], own[-1]
    lows = ("n", "ni", "no", "b", "bar")
    glued = re.fullmatch(r"a?(rst|reset|valid|vld|ready|rdy|clr|en|ena|enable|busy)n", last)
    return (len(own) > 1 and (last in lows or first == "n")) or bool(
        glued or re.fullmatch(r"n(a?rst|reset|valid|ready|en|clr)", first)
    )


def stem(name: str, wanted: Iterable[str]) -> str:
    """Return a name without the word that it was found by and without sides: its stream."""
    dropped = {variant for word in wanted for variant in (word, f"{word}n", f"n{word}")}
    base, dot, _ = name.partition(".")
    kept = [word for word in words(name) if word not in dropped and word not in ("n", "ni", "no")]
    return ".".join([base, ""]) if dot else "_".join(kept)

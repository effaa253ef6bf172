"""What a bench plays: beats to send and beats to expect, from a description and two hex files.

The description is JSON: ``nonce``, ``primitive``, ``parameters``, ``inputs`` and ``outputs``
(fields of a beat, the least significant first: name, bits, signed, lanes), ``stimulus``,
``limit``, ``last`` (whether tlast is compared), and ``window`` or null. Beside it lie ``in.hex``
and ``out.hex``, one ``{tlast, tdata}`` a line.
"""

from __future__ import annotations

import array
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Row: TypeAlias = tuple[int, ...]  # 32-bit words of {tlast, tdata}, least significant first
Values: TypeAlias = Mapping[str, tuple[int, ...]]  # lanes of each field of a beat


@dataclass(frozen=True, slots=True)
class Field:
    """A part of a beat: ``lanes`` values of ``bits`` each, side by side."""

    name: str
    bits: int
    signed: bool
    lanes: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of a beat, least significant first."""

    fields: tuple[Field, ...]

    @property
    def width(self) -> int:
        """Bits of tdata."""
        return sum(field.bits * field.lanes for field in self.fields)

    def values(self, word: int) -> Values:
        """Return the values of a tdata, or of a tdata with tlast above it."""
        found: dict[str, tuple[int, ...]] = {}
        for field in self.fields:
            half, mask = 1 << (field.bits - 1), (1 << field.bits) - 1
            lanes = []
            for _ in range(field.lanes):
                code = word & mask
                lanes.append((code ^ half) - half if field.signed else code)
                word >>= field.bits
            found[field.name] = tuple(lanes)
        return found


@dataclass(frozen=True)
class Stimulus:
    """How beats are offered and taken; the names are those of the description."""

    seed: int = 0
    stall_input: float = 0.0
    stall_output: float = 0.0
    wait_for_valid: bool = False
    resets: tuple[int, ...] = ()
    reset_cycles: int = 2
    idle_limit: int = 1_000_000
    idle_factor: int = 0


@dataclass(frozen=True)
class Job:
    """One call of a primitive.

    Attributes:
        primitive: what the design computes.
        parameters: of its module.
        inputs, outputs: the beats of its streams.
        rows: what is sent.
        expected: what must come out: tlast and tdata as binary digits.
    """

    primitive: str
    parameters: Mapping[str, int]
    inputs: Layout
    outputs: Layout
    rows: Sequence[Row]
    expected: Sequence[str]

    @cached_property
    def packets(self) -> list[tuple[int, int]]:
        """For each packet with results, how many beats are sent, and taken, when it is complete.

        Packets that come first may have no results: they fill a memory.
        """
        word, bit = divmod(self.inputs.width, 32)
        sent = [i + 1 for i, row in enumerate(self.rows) if row[word] >> bit & 1]
        taken = [i + 1 for i, beat in enumerate(self.expected) if beat[0] == "1"]
        silent = len(sent) - len(taken)
        if silent < 0 or not taken:
            raise ValueError(f"{len(sent)} packets go in, {len(taken)} come out")
        return list(zip(sent[silent:], taken, strict=True))

    def part(self, sent: int, taken: int) -> Job:
        """Return the job of the first beats."""
        return replace(self, rows=self.rows[:sent], expected=self.expected[:taken])

    def repeated(self, times: int) -> Job:
        """Return the job that does all of this several times without a pause."""
        return replace(self, rows=list(self.rows) * times, expected=list(self.expected) * times)

    def sent(self, index: int) -> Values:
        """Return the fields of an input beat."""
        return self.inputs.values(_joined(self.rows[index]))

    def result(self, index: int) -> Values:
        """Return the fields of an output beat."""
        return self.outputs.values(int(self.expected[index], 2))


@dataclass(frozen=True)
class Description:
    """A job with how it is played.

    Attributes:
        nonce: of this run.
        job: what is sent and expected.
        stimulus: how.
        limit: how many differences are kept.
        window: first and last cycle of the waves, or None.
        compare_last: whether tlast of results is compared.
        first_reset: cycles of the reset before the first beat.
    """

    nonce: str
    job: Job
    stimulus: Stimulus
    limit: int
    window: tuple[int, int] | None
    compare_last: bool
    first_reset: int


def load(path: Path) -> Description:
    """Read a description and the hex files beside it."""
    document: Any = json.loads(path.read_bytes())
    inputs, outputs = _layout(document["inputs"]), _layout(document["outputs"])
    job = Job(
        primitive=document["primitive"],
        parameters=document["parameters"],
        inputs=inputs,
        outputs=outputs,
        rows=_rows((path.parent / "in.hex").read_bytes(), inputs.width + 1),
        expected=_bits((path.parent / "out.hex").read_text("ascii"), outputs.width + 1),
    )
    stimulus = document["stimulus"]
    window = document["window"]
    return Description(
        nonce=document["nonce"],
        job=job,
        stimulus=Stimulus(**{**stimulus, "resets": tuple(stimulus["resets"])}),
        limit=document["limit"],
        window=None if window is None else (window[0], window[1]),
        compare_last=document["last"],
        first_reset=document["first_reset"],
    )


def _layout(fields: list[dict[str, Any]]) -> Layout:
    return Layout(tuple(Field(**field) for field in fields))


def _rows(text: bytes, width: int) -> list[Row]:
    words = -(-width // 32)
    lines = (line.rjust(8 * words, b"0") for line in text.split())
    flat = array.array("I", bytes.fromhex(b"".join(lines).decode("ascii")))
    if sys.byteorder == "little":
        flat.byteswap()
    return list(zip(*(flat[word::words] for word in reversed(range(words))), strict=True))


def _bits(text: str, width: int) -> list[str]:
    lines = text.split()
    if not lines:
        return []
    step = 4 * len(lines[0])
    # All at once: a power of two to another one takes linear time, and a line at a time, calls.
    bits = f"{int('1' + ''.join(lines), 16):b}"[1:]
    return [bits[end - width : end] for end in range(step, len(bits) + 1, step)]


def _joined(row: Row) -> int:
    return sum(word << (32 * index) for index, word in enumerate(row))

"""Mutated target files: a Target or a TargetError of one line, never anything else or a hang."""

from __future__ import annotations

import random
import signal
from typing import TYPE_CHECKING, NoReturn

import pytest

from qsim.errors import TargetError
from qsim.target import Target
from qsim.target.load import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MUTANTS = 400  # of each shipped target
SECONDS = 30
VALUES = (
    b"0 -1 1 2 7 8 31 32 33 63 64 65 4294967296 99999999999999999999 0x80 0b1 1e9 nan inf -0.0 "
    b'true false \'\' "wrap" "mac" "error" "power_of_two" "asymmetric" "half_even" [] '
    b"[[]] {} {a=1} [1,\"add\"] 1979-05-27 '''x''' \"\\u0000\" \"\\U0001F600\" a.b = \xff"
).split(b" ")


def flip(data: bytes, rng: random.Random) -> bytes:
    mutant = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        mutant[rng.randrange(len(mutant))] ^= 1 << rng.randrange(8)
    return bytes(mutant)


def truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def swap_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return b"".join(lines)


def delete_line(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    del lines[rng.randrange(len(lines))]
    return b"".join(lines)


def repeat_line(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    lines.insert(rng.randrange(len(lines)), rng.choice(lines))
    return b"".join(lines)


def replace_value(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    fields = [i for i, line in enumerate(lines) if b" = " in line and not line.startswith(b"#")]
    if not fields:
        return data
    i = rng.choice(fields)
    lines[i] = lines[i].partition(b" = ")[0] + b" = " + rng.choice(VALUES) + b"\n"
    return b"".join(lines)


def insert_bytes(data: bytes, rng: random.Random) -> bytes:
    i = rng.randrange(len(data))
    return data[:i] + rng.randbytes(rng.randint(1, 8)) + data[i:]


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flip,
    truncate,
    swap_lines,
    delete_line,
    repeat_line,
    replace_value,
    replace_value,
    insert_bytes,
)


@pytest.fixture
def watchdog() -> Iterator[None]:
    def expired(signum: int, frame: object) -> NoReturn:
        raise AssertionError(f"no answer within {SECONDS} s")

    previous = signal.signal(signal.SIGALRM, expired)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.mark.parametrize("name", Target.names())
@pytest.mark.usefixtures("watchdog")
def test_mutants(name: str, tmp_path: Path) -> None:
    rng = random.Random(f"qsim {name}")  # noqa: S311  # a seeded stream, not a secret
    data = (SHIPPED / f"{name}.toml").read_bytes()
    path = tmp_path / "mutant.toml"
    loaded = refused = 0
    for _ in range(MUTANTS):
        mutant = data
        for _ in range(rng.choice((1, 1, 1, 2, 5))):
            mutant = rng.choice(MUTATIONS)(mutant, rng) or b"\n"
        path.write_bytes(mutant)
        try:
            target = Target.load(path)
        except TargetError as error:
            refused += 1
            line = str(error)
            assert line.isprintable() or line.replace("\xa0", " ").isprintable(), mutant
            assert len(line) < 1200, mutant
        else:
            loaded += 1
            assert Target.from_dict(target.to_dict()) == target, mutant
            assert target.input.format.bits == target.input.bits
            assert target.correlation.accumulator.bits == target.correlation.bits
    # Both happen, or the mutations test nothing: comments may change, values may not.
    assert loaded > MUTANTS // 50
    assert refused > MUTANTS // 4

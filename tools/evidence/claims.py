"""What tests say that they compare: their ``peer`` marks, read without running anything.

tests/peers/evidence/marks.py says what a mark is, and holds every test that has one to it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PEERS: Final = ROOT / "tests" / "peers"


@dataclass(frozen=True)
class Claim:
    """One mark.

    Attributes:
        program: that the primitives are compared with.
        primitives: compared.
        targets: that have them under the contract that is compared.
        test: the file, from the repository's root.
    """

    program: str
    primitives: tuple[str, ...]
    targets: tuple[str, ...]
    test: str


@dataclass(frozen=True)
class Difference:
    """A test of what another program does differently.

    Attributes:
        says: the first line of its docstring.
        test: the file and the function.
    """

    says: str
    test: str


def claims() -> list[Claim]:
    """Return every mark of tests/peers, in the order of files and lines.

    Raises:
        ValueError: a mark that is no literal, or repeats itself.
    """
    return [claim for path in _files() for claim in _of_file(path)]


def differences() -> list[Difference]:
    """Return the tests that hold other programs to what they do differently."""
    found = []
    for path in _files():
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_exception_"):
                says = (ast.get_docstring(node) or "").partition("\n")[0]
                if not says:
                    raise ValueError(f"{_place(path)}: {node.name} does not say what differs")
                found.append(Difference(says, f"{_place(path)}::{node.name}"))
    return found


def _files() -> list[Path]:
    return sorted(PEERS.rglob("test_*.py"))


def _place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _of_file(path: Path) -> list[Claim]:
    tests = [n for n in ast.parse(path.read_text("utf-8")).body if isinstance(n, ast.FunctionDef)]
    return [
        _claim(call, _place(path))
        for test in tests
        for decorator in test.decorator_list
        for call in ast.walk(decorator)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.peer"
    ]


def _claim(call: ast.Call, test: str) -> Claim:
    where = f"{test}, line {call.lineno}: the mark"
    try:
        program, primitives, *rest = [ast.literal_eval(argument) for argument in call.args]
        targets = rest[0] if rest else []
    except (ValueError, TypeError):
        raise ValueError(f"{where} must be (program, primitives, targets), literals") from None
    for names in (primitives, targets):
        if len(set(names)) != len(names):
            raise ValueError(f"{where} names something twice")
    return Claim(program, tuple(primitives), tuple(targets), test)

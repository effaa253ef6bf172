"""The page: every cell is made of marks, RTL and targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from qsim.patterns import cells
from qsim.target import Target
from qsim.target.words import PrimitiveName
from tools.evidence.circuits import circuit, serves
from tools.evidence.claims import ROOT, claims, differences
from tools.lock.sets import BUILD_DEPENDENT, TEST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tools.evidence.claims import Claim

PAGE: Final = ROOT / "docs" / "evidence.md"
NOT_COMPARED: Final = "not compared"
# The distribution whose release `requirements/test.txt` locks, by the first word of a program.
DISTRIBUTIONS: Final = {
    "LiteRT": "ai-edge-litert",
    "ONNX": "onnxruntime",
    "PyTorch": "torch",
    "TOSA": "tosa-tools",
    "torchao": "torchao",
    "ExecuTorch": "executorch",
    "apytypes": "apytypes",
}
HEAD: Final = """\
# Evidence

<!-- Made by `python -m tools.evidence`: edit tests, not this page. -->

What stands behind each primitive, and which other programs gave the same integers on which target.

* **A program is named** where a test of `tests/peers` calls the primitive under the target's own
  contract (formats, register, kind of scheme and rounding), and every code equals the program's.
  The test says so in a mark, and is held to it while it runs: a mark that is not true fails.
* **Not compared** means that no test does. The primitive then equals its `reference()`, its
  definition in plain Python integers, and nobody else's program was asked.
* **`lstm_cell`** is no primitive: a step of an LSTM, many calls, whose hidden states are compared.
* A program that computes as a target does need not be the system that the target is named after.
  Which release of that system was compared, and how, each target says itself, above its table.
* **RTL** means that `rtl_tb/rtl` computes the primitive as the target does; **proof**, that
  `qsim prove` proves the RTL ([formal.md](formal.md)); **mutants**, that `make mutation` changes
  the module and asks whether the golden vectors notice ([mutation.md](mutation.md)).

What the programs compute, and where they part ways, is told in [peers.md](peers.md) and
[peers-litert.md](peers-litert.md).
"""
DIFFER: Final = """\
Each of these is held by a test: the program computes something else there, and the test fails when
it no longer does.
"""


def text() -> str:
    """Return the whole page.

    Raises:
        ValueError: a mark that names a primitive or a target that there is not.
    """
    found = claims()
    targets = [Target.load(name) for name in Target.names()]
    rows = {target.name: primitives_of(target) for target in targets}
    _check(found, rows)
    parts = [
        HEAD,
        "## Programs\n",
        *_programs(found),
        "\n## Primitives\n",
        *_primitives(found),
        "\n## Targets\n",
        *_overview(found, targets, rows),
        *(line for target in targets for line in _target(found, target, rows[target.name])),
        "\n## Where a program differs\n",
        DIFFER,
        *_differences(),
    ]
    return "\n".join(parts) + "\n"


def primitives_of(target: Target) -> tuple[str, ...]:
    """Return what a target has: its primitives, rows for what shares one, cells."""
    named = [name for name in target.primitives.available if target.has(name)]
    if target.has("correlation"):
        named.insert(named.index("correlation") + 1, "linear")
    if target.requantize_linear is not None:
        named.insert(named.index("requantize") + 1, "requantize_linear")
    if "quantize" not in named:
        named.append("quantize")
    if set(cells.primitives(None, target)) <= {*target.primitives.available}:
        named.append("lstm_cell")
    return tuple(named)


def _check(found: Iterable[Claim], rows: dict[str, tuple[str, ...]]) -> None:
    for claim in found:
        for name in claim.targets:
            missing = set(claim.primitives) - set(rows.get(name, ()))
            if missing:
                what = f"{', '.join(sorted(missing))} of target {name}"
                raise ValueError(f"{claim.test}: a mark names {what}, which there is not")


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(*rows: Iterable[str]) -> list[str]:
    head, *rest = [f"| {' | '.join(cells)} |" for cells in rows]
    return [head, "|---" * (head.count("|") - 1) + "|", *rest]


def release(program: str) -> tuple[str, str]:
    """Return the distribution of a program and the release that the tests install."""
    name = DISTRIBUTIONS[program.split(" ", maxsplit=1)[0]]
    if name == BUILD_DEPENDENT:  # not in the lock
        (asked,) = {str(each.specifier) for each in TEST.requirements() if each.name == name}
        return name, asked.removeprefix("==")
    (version,) = {pin.version for pin in TEST.pins()[name]}
    return name, str(version)


def _folder(claim: Claim) -> str:
    """Return the folder of a mark's test, or the file where it stands beside the folders."""
    folder = claim.test.rpartition("/")[0]
    return claim.test if folder == "tests/peers" else f"{folder}/"


def _programs(found: list[Claim]) -> list[str]:
    names = sorted({claim.program for claim in found})
    rows = [
        (
            name,
            " ".join(release(name)),
            _code(sorted({_folder(c) for c in found if c.program == name})),
        )
        for name in names
    ]
    return _table(("program", "release", "compared in"), *rows)


def _primitives(found: list[Claim]) -> list[str]:
    named: list[str] = list(get_args(PrimitiveName))
    every = [*named, *sorted({name for claim in found for name in claim.primitives} - {*named})]
    rows = []
    for name in every:
        made = circuit(name)
        programs = sorted({claim.program for claim in found if name in claim.primitives})
        marks = [
            _yes(made is not None and has) for has in (made and made.proved, made and made.mutated)
        ]
        module = f"`{made.module}`" if made else "–"
        rows.append((f"`{name}`", module, *marks, ", ".join(programs) or NOT_COMPARED))
    return _table(("primitive", "RTL", "proof", "mutants", "compared with"), *rows)


def _yes(value: object) -> str:
    return "yes" if value else "–"


def _of(found: Iterable[Claim], target: str, primitive: str) -> list[str]:
    return sorted({c.program for c in found if target in c.targets and primitive in c.primitives})


def _overview(
    found: list[Claim], targets: list[Target], rows: dict[str, tuple[str, ...]]
) -> list[str]:
    table = []
    for target in targets:
        names = rows[target.name]
        compared = [name for name in names if _of(found, target.name, name)]
        programs = sorted({program for name in names for program in _of(found, target.name, name)})
        link = f"[{target.name}](#{target.name})"
        count = f"{len(compared)} of {len(names)}" if compared else "0"
        rtl = sum(serves(name, target) for name in names)
        table.append((link, count, ", ".join(programs) or NOT_COMPARED, f"{rtl} of {len(names)}"))
    return _table(("target", "primitives compared", "with", "with RTL"), *table)


def _target(found: list[Claim], target: Target, names: tuple[str, ...]) -> list[str]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(", ".join(_of(found, target.name, name)) or NOT_COMPARED, []).append(name)
    last = groups.pop(NOT_COMPARED, [])
    rows = [(programs, _code(group)) for programs, group in groups.items()]
    rows += [(f"*{NOT_COMPARED}*", _code(last))] if last else []
    rtl = {name: circuit(name) for name in names if serves(name, target)}
    proved = {name for name, each in rtl.items() if each is not None and each.proved}
    shown = ", ".join(f"**`{name}`**" if name in proved else f"`{name}`" for name in rtl)
    rows.append(("RTL (**proof**)", shown))
    table = _table(("compared with", "primitives"), *rows)
    return [f"\n### {target.name}\n", f"Compared with: {target.checked}\n", *table]


def _differences() -> list[str]:
    rows = []
    for each in differences():
        file, _, test = each.test.partition("::")
        rows.append(
            (test.removeprefix("test_exception_").replace("_", " "), each.says, f"`{file}`")
        )
    return _table(("what", "the test says", "in"), *rows)

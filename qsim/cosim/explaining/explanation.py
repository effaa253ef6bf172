"""What is told about a result that differs, as text and as JSON values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qsim.mismatch import to_hex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.tracing import Step

WIDTH: Final = 100
_HEAD, _TAIL = 12, 6  # lines of a long list that are shown


@dataclass(frozen=True, slots=True)
class Operand:
    """A field of a beat that a result was made of.

    Attributes:
        name: of the field; ``x[3]`` of the fourth value of a result that is made of several.
        value: what it held.
        bits: its width, for hexadecimal digits.
    """

    name: str
    value: int
    bits: int

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {"name": self.name, "value": self.value, "hex": to_hex(self.value, self.bits)}


@dataclass(frozen=True, slots=True)
class Explanation:
    """A first difference explained.

    Attributes:
        operands: fields of the beats that the element was made of.
        steps: what the definition does with them, in its order.
        defined: what comes out of it; None where no element differs, or it refuses them.
        expected: what the vectors have there.
        refused: why the definition refuses these operands; empty where it takes them.
        hints: what explains all differences of the call, one line each.
    """

    operands: tuple[Operand, ...] = ()
    steps: tuple[Step, ...] = ()
    defined: int | None = None
    expected: int | None = None
    refused: str = ""
    hints: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "operands": [each.to_dict() for each in self.operands],
            "steps": [
                {
                    "name": each.name,
                    "formula": each.formula,
                    "value": each.value,
                    "note": each.note,
                }
                for each in self.steps
            ],
            "defined": self.defined,
            "refused": self.refused,
            "hints": list(self.hints),
        }

    def lines(self) -> list[str]:
        """Return the explanation as text, in lines of at most 100 columns."""
        parts: list[str] = []
        if self.operands:
            parts += ["operands:", *_table(_operand_rows(self.operands))]
        if self.steps:
            parts += ["by the definition:", *_table(_step_rows(self.steps))]
        if self.refused:
            parts.append(f"the definition refuses them, and the vectors are wrong: {self.refused}")
        elif self.defined is not None and self.defined != self.expected:
            parts.append(
                f"the definition gives {self.defined}, and the vectors expect {self.expected}: "
                "they are wrong"
            )
        parts += [f"hint: {hint}" for hint in self.hints]
        return parts


def _operand_rows(operands: Sequence[Operand]) -> list[tuple[str, ...]]:
    return [(each.name, f"{each.value}", to_hex(each.value, each.bits)) for each in operands]


def _step_rows(steps: Sequence[Step]) -> list[tuple[str, ...]]:
    return [
        (each.name, f"{each.value}", f"= {each.formula}{f'  ({each.note})' if each.note else ''}")
        for each in steps
    ]


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows of name, number and the rest, in columns; the middle of a long one left out."""
    left_out = len(rows) - _HEAD - _TAIL
    shown = list(rows) if left_out <= 1 else [*rows[:_HEAD], *rows[-_TAIL:]]
    wide = [max(len(row[column]) for row in shown) for column in (0, 1)]
    lines = [f"  {name:<{wide[0]}}  {value:>{wide[1]}}  {rest}" for name, value, rest in shown]
    if left_out > 1:
        lines.insert(_HEAD, f"  … {left_out} more, which --json has")
    return [line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…" for line in lines]

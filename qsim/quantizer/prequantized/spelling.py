"""A model whose quantized modules are, for the time of an export, written as Q/DQ graphs."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qsim.errors import ModelError
from qsim.quantizer.prequantized.dense import Dense
from qsim.quantizer.prequantized.eager import is_eager, spell_eager
from qsim.quantizer.prequantized.torchao import is_torchao, spell_torchao

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn


@dataclass(slots=True)
class Spelled:
    """What was found.

    Attributes:
        modules: those written anew, by the paths of the quantized ones.
    """

    modules: dict[str, nn.Module] = field(default_factory=dict)

    @property
    def per_token(self) -> bool:
        """Whether operands have a scale for each row, not for the whole tensor.

        Raises:
            ModelError: some have, and some have not.
        """
        found: dict[str, str] = {}
        for path, module in self.modules.items():
            for part in module.modules():
                if isinstance(part, Dense):
                    found.setdefault(part.operand.granularity, path)
        if len(found) > 1:
            raise ModelError(
                f"its operand has a scale per token, and that of {found['tensor']} one per tensor",
                where=found["token"],
                accepted="one of them in a model: a datapath chooses parameters in one way",
            )
        return "token" in found


@contextlib.contextmanager
def spelled(model: object) -> Iterator[Spelled]:
    """Put modules of a Q/DQ graph in the place of quantized ones; the model gets its own back.

    Raises:
        ModelError: a quantized module that is not taken.
    """
    from torch import nn

    found = Spelled()
    if not isinstance(model, nn.Module):
        yield found
        return
    places: list[tuple[nn.Module, str, nn.Module]] = []
    made: dict[nn.Module, nn.Module] = {}
    for path, owner in list(model.named_modules(remove_duplicate=False)):
        if _inside(path, found.modules):
            continue
        for name, child in list(owner._modules.items()):  # noqa: SLF001 - named_children hides twins
            if child is None:
                continue
            where = f"{path}.{name}" if path else name
            new = made.get(child) or _spell(child, where)
            if new is not None:
                made[child] = found.modules[where] = new
                places.append((owner, name, child))
    try:
        for owner, name, child in places:
            owner._modules[name] = made[child]  # noqa: SLF001
        yield found
    finally:
        for owner, name, child in places:
            owner._modules[name] = child  # noqa: SLF001


def _inside(path: str, found: dict[str, nn.Module]) -> bool:
    """Return whether a path is that of a module that was written anew, or of a part of it."""
    names = path.split(".")
    return any(".".join(names[: end + 1]) in found for end in range(len(names)))


def _spell(module: nn.Module, where: str) -> nn.Module | None:
    if is_eager(module):
        return spell_eager(module, where)
    return spell_torchao(module, where) if is_torchao(module) else None

"""Files from which an interrupted learning goes on.

A checkpoint is one safetensors file: the tensors of a stage as they were after a step, and in its
metadata which learning it belongs to. It is written under another name and renamed, so the last
whole one stays, whenever it ends. It is read as data alone; nothing in it runs.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from qsim import atomic
from qsim.errors import FileFormatError, UsageError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

_FORMAT: Final = "qsim learning 1"


class Checkpoint:
    """Where a learning is kept, and what was found there.

    Attributes:
        stage: of the step after which it was written; empty where nothing was.
        done: steps of that stage.
        tensors: as they were then.
    """

    def __init__(self, path: str | os.PathLike[str], identity: str) -> None:
        """Read a checkpoint, if there is one.

        Args:
            path: of the file.
            identity: what the learning hangs on; see :func:`identity_of`.

        Raises:
            FileFormatError: the file is no checkpoint, or damaged.
            UsageError: it belongs to another learning.
        """
        self._path, self._identity = Path(path), identity
        self.stage, self.done = "", 0
        self.tensors: dict[str, torch.Tensor] = {}
        if self._path.exists():
            self._read()

    def save(self, stage: str, done: int, tensors: Mapping[str, torch.Tensor]) -> None:
        """Write what a stage is after a step, in place of what was there.

        Raises:
            UsageError: the path cannot be written.
        """
        from safetensors.torch import save

        about = {
            "format": _FORMAT,
            "identity": self._identity,
            "stage": stage,
            "done": str(done),
        }
        plain = {name: value.detach().clone().contiguous() for name, value in tensors.items()}
        atomic.write_bytes(self._path, save(plain, metadata=about))

    def found(self, stage: str) -> int:
        """Return how many steps of a stage are done."""
        return self.done if self.stage == stage else 0

    def _read(self) -> None:
        from safetensors import SafetensorError, safe_open

        accepted = "a checkpoint that qsim wrote, or a path where there is no file"
        try:
            with safe_open(self._path, framework="pt") as file:
                about = file.metadata() or {}
                if about.get("format") != _FORMAT:
                    raise FileFormatError(
                        "is no checkpoint of learning", where=str(self._path), accepted=accepted
                    )
                self.tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                self.stage, self.done = about["stage"], int(about["done"])
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise FileFormatError(
                f"cannot be read: {' '.join(str(error).split())[:200]}",
                where=str(self._path),
                accepted=accepted,
            ) from None
        if about.get("identity") != self._identity:
            raise UsageError(
                "belongs to another learning: of another model, target, configuration or other "
                "samples",
                where=str(self._path),
                accepted="the same arguments as before, or a path where there is no file",
            )


def identity_of(settings: Mapping[str, Any], tensors: Iterable[torch.Tensor]) -> str:
    """Return a digest of what a learning hangs on.

    Args:
        settings: the configuration and the target, as JSON has them.
        tensors: the network's constants and the samples.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for tensor in tensors:
        plain = tensor.detach().contiguous()
        digest.update(f"{plain.dtype} {tuple(plain.shape)}".encode())
        digest.update(plain.numpy().tobytes())
    return digest.hexdigest()


def of_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Return the tensors of an optimizer by names that a checkpoint keeps."""
    return {
        f"optimizer.{index}.{name}": value
        for index, parameter in enumerate(_parameters(optimizer))
        for name, value in optimizer.state[parameter].items()
        if isinstance(value, torch.Tensor)
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]
) -> None:
    """Give an optimizer the tensors that :func:`of_optimizer` named."""
    for index, parameter in enumerate(_parameters(optimizer)):
        start = f"optimizer.{index}."
        held = {n[len(start) :]: v.clone() for n, v in tensors.items() if n.startswith(start)}
        if held:
            optimizer.state[parameter] = held


def _parameters(optimizer: torch.optim.Optimizer) -> list[torch.nn.Parameter]:
    return [p for group in optimizer.param_groups for p in group["params"]]

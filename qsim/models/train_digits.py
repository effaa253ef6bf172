"""Train ``digits`` again: ``python -m qsim.models.train_digits``.

Deterministic on one machine: one thread, one seed. Other processors may round sums otherwise and
end at other weights of the same accuracy; the committed ones are what every user runs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from qsim.atomic import write_bytes
from qsim.errors import QsimError
from qsim.models.digits import WEIGHTS, DigitsNet, images, split
from qsim.models.seeded import undisturbed

if TYPE_CHECKING:
    from collections.abc import Sequence

_BATCH = 64


def train(epochs: int = 60, seed: int = 2026) -> tuple[DigitsNet, float]:
    """Train on the training part; return the network in eval mode and its held-out accuracy.

    Args:
        epochs: passes over the training part, 1 or more.
        seed: of the initial weights, the order of images and their shifts.
    """
    pixels, labels = images()
    fitted, held_out = split(labels)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with undisturbed(seed):
            net = _fit(pixels[fitted], labels[fitted], epochs)
    finally:
        torch.set_num_threads(threads)
    return net, accuracy(net, pixels[held_out], labels[held_out])


def _fit(pixels: torch.Tensor, labels: torch.Tensor, epochs: int) -> DigitsNet:
    net = DigitsNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=1e-2)
    batches = -(-len(pixels) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=epochs * batches)
    loss = nn.CrossEntropyLoss(label_smoothing=0.05)
    net.train()
    for _ in range(epochs):
        for batch in torch.split(torch.randperm(len(pixels)), _BATCH):
            optimizer.zero_grad()
            loss(net(shifted(pixels[batch])), labels[batch]).backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def shifted(pixels: torch.Tensor) -> torch.Tensor:
    """Move each image of ``[N, 1, 8, 8]`` by -1, 0 or 1 pixel down and right, zeros behind it."""
    count, _, height, width = pixels.shape
    padded = nn.functional.pad(pixels, (1, 1, 1, 1))
    rows = torch.randint(3, (count, 1)) + torch.arange(height)
    columns = torch.randint(3, (count, 1)) + torch.arange(width)
    image = torch.arange(count)[:, None, None]
    return padded[image, 0, rows[:, :, None], columns[:, None, :]][:, None]


@torch.no_grad()
def accuracy(net: nn.Module, pixels: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of images whose largest logit is their label's, 0 to 1."""
    right = int((net(pixels).argmax(1) == labels).sum())
    return right / len(labels)


def save(net: nn.Module, path: Path) -> None:
    """Write the weights as safetensors; the file appears whole or not at all."""
    from safetensors.torch import save

    data = save({name: tensor.contiguous() for name, tensor in net.state_dict().items()})
    write_bytes(path, data)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, print the held-out accuracy and write the weights; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m qsim.models.train_digits", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=WEIGHTS, help="where to write")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args(arguments)
    if options.epochs < 1:
        parser.error(f"--epochs must be at least 1, not {options.epochs}")
    if not options.output.parent.is_dir():
        parser.error(f"--output: there is no folder {options.output.parent}")
    try:
        net, share = train(options.epochs, options.seed)
        save(net, options.output)
    except QsimError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    sys.stdout.write(f"held-out accuracy {share:.2%}; wrote {options.output}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

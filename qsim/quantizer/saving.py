"""``.pt2`` files of quantized networks, written; ``pt2`` reads them."""

from __future__ import annotations

import dataclasses
import io
import json
from typing import TYPE_CHECKING, Final

from qsim.errors import ModelError

if TYPE_CHECKING:
    import os

    from torch.export import ExportedProgram
    from torch.fx import GraphModule

    from qsim.quantizer.quantized import Quantized

FORMAT: Final = 1
EXTRA: Final = "qsim_target.json"


def save_pt2(quantized: Quantized, path: str | os.PathLike[str]) -> None:
    """Write a quantized network; ``torch.export.load`` reads its Q/DQ graph too.

    A fresh process must import ``torch.ao.quantization.fx._decomposed`` before it uses torch's
    loader: that registers the Q/DQ operators. ``load_pt2`` does so itself.

    Raises:
        UsageError: the path cannot be written. Nothing is left behind then.
    """
    from qsim.atomic import write_bytes

    write_bytes(path, to_bytes(quantized))


def to_bytes(quantized: Quantized) -> bytes:
    """Return the bytes of a quantized network's ``.pt2`` file."""
    from torch.export.pt2_archive._package import package_pt2

    import qsim
    from qsim.graph import quiet

    if quantized.states:
        raise ModelError(
            "a .pt2 file has no place for states: this network keeps "
            f"{quantized.states[0].name!r} from step to step",
            accepted="qsim.lower and a .qsim file",
        )

    with quiet():
        programs = {
            "model": _export(quantized.graph, quantized),
            "float": _export(quantized.float_graph, quantized),
        }
        about = {
            "format": FORMAT,
            "target": quantized.target.to_dict(),
            "batch": quantized.batch,
            # The saved sample is doubled where the example's batch is 1.
            "samples": [i.shape[0] if i.dim() else 1 for i in quantized.example_inputs],
            "network_sha256": _digest(quantized),
            "qsim": qsim.__version__,
            "raised": [dataclasses.asdict(item) for item in quantized.raised],
            "host": sorted(quantized.host),
            "why": {name: dataclasses.asdict(reason) for name, reason in quantized.why.items()},
            "names": {
                "model": _names(quantized.graph),
                "float": _names(quantized.float_graph),
            },
        }
        buffer = io.BytesIO()
        package_pt2(buffer, exported_programs=programs, extra_files={EXTRA: json.dumps(about)})
    return buffer.getvalue()


def _digest(quantized: Quantized) -> str | None:
    try:
        return quantized.digest
    except ModelError:
        return None  # no network, no digest; the graph is worth keeping all the same


def _export(graph: GraphModule, quantized: Quantized) -> ExportedProgram:
    import torch

    from qsim.graph import batch_dims, doubled

    inputs = quantized.example_inputs
    if not quantized.batch:
        return torch.export.export(graph, inputs, strict=False)
    dynamic = batch_dims(graph, inputs)
    return torch.export.export(graph, doubled(inputs), dynamic_shapes=dynamic, strict=False)


def _names(graph: GraphModule) -> list[str]:
    return [node.name for node in graph.graph.nodes if node.op == "call_function"]

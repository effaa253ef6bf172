"""Delegates of other vendors: a registered Python model computes them, as documented."""

from __future__ import annotations

import re
import runpy
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import qsim.executorch
from qsim.errors import ModelError, UsageError
from qsim.executorch import Pte
from tests.qsim.executorch import pte_nets as nets
from tests.tree import DOCS

DOCUMENT = DOCS / "executorch.md"


@pytest.fixture(autouse=True)
def unregistered() -> Iterator[None]:
    yield
    for name in ("VendorBackend", "AdderBackend"):
        qsim.executorch.register(name, None)


class Sum(torch.nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.neg(x + y) * 2


@pytest.fixture(scope="module")
def delegated() -> bytes:
    """A program whose additions are delegated to another backend, as text of the operators."""
    from executorch.exir.backend.backend_details import BackendDetails, PreprocessResult
    from executorch.exir.backend.partitioner import DelegationSpec, Partitioner, PartitionResult

    class VendorBackend(BackendDetails):  # type: ignore[misc]
        @staticmethod
        def preprocess(program: Any, specs: Any) -> Any:
            calls = [n for n in program.graph.nodes if n.op == "call_function"]
            return PreprocessResult(" ".join(str(n.target) for n in calls).encode())

    class VendorPartitioner(Partitioner):  # type: ignore[misc]
        def partition(self, program: Any) -> Any:
            spec = DelegationSpec("VendorBackend", [])
            nodes = [n for n in program.graph.nodes if "add" in str(n.target)]
            for number, node in enumerate(nodes):
                node.meta["delegation_tag"] = f"part{number}"
            tags = {f"part{number}": spec for number in range(len(nodes))}
            return PartitionResult(tagged_exported_program=program, partition_tags=tags)

    inputs = (torch.randn(3), torch.randn(3))
    return bytes(nets.program(Sum(), inputs, partitioner=[VendorPartitioner()]).buffer)


def test_without_a_model_the_message_names_the_backend(delegated: bytes) -> None:
    with pytest.raises(ModelError, match=r"backend 'VendorBackend', which has no Python model"):
        Pte(delegated)


def test_a_registered_model_computes(delegated: bytes) -> None:
    seen: list[tuple[bytes, int]] = []

    def model(blob: bytes, inputs: Any, specs: Any) -> torch.Tensor:
        seen.append((blob, len(inputs)))
        return inputs[0] + inputs[1]

    qsim.executorch.register("VendorBackend", model)
    pte = Pte(delegated)
    x, y = torch.randn(3), torch.randn(3)
    assert pte.delegates == ("VendorBackend",)
    assert torch.equal(pte(x, y), torch.neg(x + y) * 2)
    assert [(b"add" in blob, count) for blob, count in seen] == [(True, 2)]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda blob, inputs, specs: inputs, "returned 2 outputs"),
        (lambda blob, inputs, specs: inputs[0].double(), r"made float64 \[3\] for value"),
        (lambda blob, inputs, specs: inputs[0][:2], r"made float32 \[2\] for value"),
        (lambda blob, inputs, specs: 1 / 0, "failed with ZeroDivisionError"),
        (lambda blob, inputs, specs: "text", "returned a str"),
    ],
)
def test_a_wrong_model_is_named(delegated: bytes, model: Any, message: str) -> None:
    qsim.executorch.register("VendorBackend", model)
    pte = Pte(delegated)
    with pytest.raises(ModelError, match=rf"delegate VendorBackend\).*{message}"):
        pte(torch.randn(3), torch.randn(3))


def test_what_cannot_be_registered() -> None:
    with pytest.raises(UsageError, match="'QsimBackend' cannot be registered"):
        qsim.executorch.register("QsimBackend", lambda *args: None)
    with pytest.raises(UsageError, match="is a int"):
        qsim.executorch.register("Other", 3)  # type: ignore[arg-type]


def test_the_documented_example_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(# example.*?)```", DOCUMENT.read_text(), re.DOTALL)
    script = tmp_path / "example.py"
    script.write_text(code)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside ExecuTorch and torch
        result = runpy.run_path(str(script))
    assert torch.equal(result["y"], result["expected"])
